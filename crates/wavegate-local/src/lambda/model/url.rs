//! Function URLs: kept and shown. What answers at them asks for their target.

use serde::Deserialize;
use serde_json::{Value, json};

use super::beside::{UrlRecord, no_such_resource};
use super::configuration::timestamp;
use super::{Lambda, page};
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::name::Target;
use crate::lambda::output::Page;

/// `CreateFunctionUrlConfig` and `UpdateFunctionUrlConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UrlInput {
    /// `NONE` or `AWS_IAM`.
    pub auth_type: Option<String>,
    /// CORS settings, kept as they come.
    pub cors: Option<Value>,
    /// `BUFFERED` or `RESPONSE_STREAM`.
    pub invoke_mode: Option<String>,
}

impl Lambda {
    /// `CreateFunctionUrlConfig`, on the function or on an alias, never on a version.
    pub fn create_url(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        qualifier: Option<&str>,
        input: UrlInput,
    ) -> Result<Value, ApiError> {
        let (target, key) = self.addressed(now, name, qualifier, no_function)?;
        let arn = self.arn_of(&target.name, &key);
        let urls = &mut self.function_mut(now, &target.name)?.beside.urls;
        if urls.contains_key(&key) {
            return Err(ApiError::conflict(format!(
                "Failed to create function url config for [functionArn = {arn}]. Error message:  \
                 FunctionUrlConfig exists for this Lambda function"
            )));
        }
        let record = UrlRecord {
            id: ids.uuid().replace('-', ""),
            auth_type: input.auth_type.unwrap_or_default(),
            cors: input.cors,
            has_invoke_mode: input.invoke_mode.is_some(),
            invoke_mode: input.invoke_mode.unwrap_or_else(|| "BUFFERED".to_owned()),
            created_ms: now,
            changed_ms: now,
        };
        urls.insert(key, record.clone());
        let mut shown = self.show_changed_url(&arn, &record);
        if let Some(shown) = shown.as_object_mut() {
            // AWS answers a creation without it.
            shown.remove("LastModifiedTime");
        }
        Ok(shown)
    }

    /// `GetFunctionUrlConfig`.
    pub fn get_url(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Value, ApiError> {
        let (target, key) = self.addressed(now, name, qualifier, no_such_resource)?;
        let urls = &self.function(&target.name)?.beside.urls;
        let record = urls.get(&key).ok_or_else(no_such_resource)?;
        Ok(self.show_url(&self.arn_of(&target.name, &key), record))
    }

    /// `UpdateFunctionUrlConfig`: what is left out stays.
    pub fn update_url(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
        input: UrlInput,
    ) -> Result<Value, ApiError> {
        let (target, key) = self.addressed(now, name, qualifier, no_function)?;
        let arn = self.arn_of(&target.name, &key);
        let urls = &mut self.function_mut(now, &target.name)?.beside.urls;
        let record = urls.get_mut(&key).ok_or_else(no_such_resource)?;
        if let Some(auth_type) = input.auth_type {
            record.auth_type = auth_type;
        }
        if let Some(mode) = input.invoke_mode {
            record.invoke_mode = mode;
            record.has_invoke_mode = true;
        }
        record.cors = input.cors.or(record.cors.take());
        record.changed_ms = now;
        let record = record.clone();
        Ok(self.show_changed_url(&arn, &record))
    }

    /// `DeleteFunctionUrlConfig`.
    pub fn delete_url(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), ApiError> {
        let (target, key) = self.addressed(now, name, qualifier, no_such_resource)?;
        let urls = &mut self.function_mut(now, &target.name)?.beside.urls;
        urls.remove(&key).map(drop).ok_or_else(no_such_resource)
    }

    /// `ListFunctionUrlConfigs`: the function's own and those of its aliases.
    pub fn list_urls(
        &self,
        name: &str,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<Value>, ApiError> {
        let name = self.unqualified(name)?;
        let urls = self.functions.get(&name).ok_or_else(no_function)?.beside.urls.iter();
        let items = urls.map(|(key, record)| (key.clone(), (self.arn_of(&name, key), record)));
        Ok(page(items, marker, max_items, |(arn, record)| self.show_url(&arn, record)))
    }

    fn address(&self, record: &UrlRecord) -> String {
        match &self.urls_at {
            Some(prefix) => format!("{prefix}{}/", record.id),
            None => format!("https://{}.lambda-url.{}.on.aws/", record.id, self.home.region),
        }
    }

    /// What a URL is on; AWS has words of its own, by operation, for what is not there.
    fn addressed(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
        missing: fn() -> ApiError,
    ) -> Result<(Target, String), ApiError> {
        self.home.resolve(name, qualifier)?;
        self.qualified(now, name, qualifier).map_err(|_| missing())
    }

    /// AWS answers changes without the mode for as long as none was given.
    fn show_changed_url(&self, arn: &str, record: &UrlRecord) -> Value {
        let mut shown = self.show_url(arn, record);
        if let Some(shown) = shown.as_object_mut()
            && !record.has_invoke_mode
        {
            shown.remove("InvokeMode");
        }
        shown
    }

    fn show_url(&self, arn: &str, record: &UrlRecord) -> Value {
        let mut shown = json!({
            "FunctionUrl": self.address(record),
            "FunctionArn": arn,
            "AuthType": record.auth_type,
            "CreationTime": timestamp(record.created_ms),
            "LastModifiedTime": timestamp(record.changed_ms),
            "InvokeMode": record.invoke_mode,
        });
        if let Some(cors) = &record.cors {
            shown["Cors"] = cors.clone();
        }
        shown
    }
}

fn no_function() -> ApiError {
    ApiError::not_found("Function does not exist")
}
