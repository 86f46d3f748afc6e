//! Code signing configurations and the functions they are attached to. They are kept and shown:
//! packages are not held against them, because nothing here can tell who signed one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::configuration::timestamp;
use super::tags::check_tags;
use super::{Lambda, page};
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::name::Home;
use crate::lambda::output::Page;

const KIND: &str = "code-signing-config";
/// AWS: letters and digits of an id.
const ID_LENGTH: usize = 17;

/// A code signing configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeSigningRecord {
    /// Free text.
    pub description: Option<String>,
    /// Whose signatures are trusted, as it was given.
    pub allowed_publishers: Value,
    /// What becomes of packages without one, as it was given.
    pub policies: Value,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Virtual time of the last change.
    pub changed_ms: i64,
}

/// `CreateCodeSigningConfig` and `UpdateCodeSigningConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CodeSigningInput {
    /// Free text.
    pub description: Option<String>,
    /// Whose signatures are trusted.
    pub allowed_publishers: Option<Value>,
    /// What becomes of packages without one.
    pub code_signing_policies: Option<Value>,
    /// Tags, at the creation only.
    pub tags: BTreeMap<String, String>,
}

impl Lambda {
    /// `CreateCodeSigningConfig`.
    pub fn create_code_signing(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        input: CodeSigningInput,
    ) -> Result<Value, ApiError> {
        check_tags(&input.tags)?;
        let random = ids.uuid().replace('-', "");
        let id = format!("csc-{}", &random[..ID_LENGTH]);
        let record = CodeSigningRecord {
            description: input.description,
            allowed_publishers: input.allowed_publishers.unwrap_or_default(),
            policies: input
                .code_signing_policies
                .unwrap_or_else(|| json!({ "UntrustedArtifactOnDeployment": "Warn" })),
            tags: input.tags,
            changed_ms: now,
        };
        let shown = show(&self.home, &id, &record);
        self.code_signing.insert(id, record);
        Ok(json!({ "CodeSigningConfig": shown }))
    }

    /// `GetCodeSigningConfig`.
    pub fn get_code_signing(&self, arn: &str) -> Result<Value, ApiError> {
        let (id, record) = self.code_signing_of(arn).ok_or_else(|| missing(arn))?;
        Ok(json!({ "CodeSigningConfig": show(&self.home, id, record) }))
    }

    /// `UpdateCodeSigningConfig`: what is left out stays.
    pub fn update_code_signing(
        &mut self,
        now: i64,
        arn: &str,
        input: CodeSigningInput,
    ) -> Result<Value, ApiError> {
        let (id, _) = self.code_signing_of(arn).ok_or_else(|| missing(arn))?;
        let id = id.to_owned();
        let home = self.home.clone();
        let record = self.code_signing.get_mut(&id).ok_or_else(|| missing(arn))?;
        record.description = input.description.or(record.description.take());
        if let Some(publishers) = input.allowed_publishers {
            record.allowed_publishers = publishers;
        }
        if let Some(policies) = input.code_signing_policies {
            record.policies = policies;
        }
        record.changed_ms = now;
        let shown = show(&home, &id, record);
        Ok(json!({ "CodeSigningConfig": shown }))
    }

    /// `DeleteCodeSigningConfig`, if no function is attached to it.
    pub fn delete_code_signing(&mut self, arn: &str) -> Result<(), ApiError> {
        let (id, _) = self.code_signing_of(arn).ok_or_else(|| missing(arn))?;
        let id = id.to_owned();
        if self.attached_to(arn).next().is_some() {
            // AWS documents the rule; its wording is not recorded.
            return Err(ApiError::conflict(format!(
                "Cannot delete the code signing configuration {arn}: functions use it."
            )));
        }
        self.code_signing.remove(&id);
        Ok(())
    }

    /// `ListCodeSigningConfigs`.
    pub fn list_code_signing(&self, marker: Option<&str>, max_items: Option<usize>) -> Page<Value> {
        let items = self.code_signing.iter().map(|(id, record)| (id.clone(), (id, record)));
        page(items, marker, max_items, |(id, record)| show(&self.home, id, record))
    }

    /// `ListFunctionsByCodeSigningConfig`: their ARNs.
    pub fn list_signed_functions(
        &self,
        arn: &str,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<String>, ApiError> {
        self.code_signing_of(arn).ok_or_else(|| missing(arn))?;
        let items = self.attached_to(arn).map(|name| (name.to_owned(), name));
        Ok(page(items, marker, max_items, |name| self.home.arn(name, None)))
    }

    /// `PutFunctionCodeSigningConfig`.
    pub fn attach_code_signing(
        &mut self,
        now: i64,
        name: &str,
        arn: &str,
    ) -> Result<Value, ApiError> {
        self.check_code_signing(arn)?;
        let name = self.unqualified(name)?;
        self.function_mut(now, &name)?.code_signing_config = Some(arn.to_owned());
        Ok(json!({ "CodeSigningConfigArn": arn, "FunctionName": name }))
    }

    /// `GetFunctionCodeSigningConfig`: AWS answers with nothing where there is none.
    pub fn attached_code_signing(&self, name: &str) -> Result<Value, ApiError> {
        let name = self.unqualified(name)?;
        Ok(match &self.function(&name)?.code_signing_config {
            Some(arn) => json!({ "CodeSigningConfigArn": arn, "FunctionName": name }),
            None => json!({}),
        })
    }

    /// `DeleteFunctionCodeSigningConfig`. Absent is no error.
    pub fn detach_code_signing(&mut self, now: i64, name: &str) -> Result<(), ApiError> {
        let name = self.unqualified(name)?;
        self.function_mut(now, &name)?.code_signing_config = None;
        Ok(())
    }

    /// Whether a function may be attached to it.
    pub(super) fn check_code_signing(&self, arn: &str) -> Result<(), ApiError> {
        match self.code_signing_of(arn) {
            Some(_) => Ok(()),
            None => Err(ApiError::new(
                404,
                "CodeSigningConfigNotFoundException",
                format!(
                    "The code signing configuration cannot be found. Check that the provided \
                     configuration is not deleted: {arn}."
                ),
            )),
        }
    }

    fn code_signing_of(&self, arn: &str) -> Option<(&str, &CodeSigningRecord)> {
        let id = arn.strip_prefix(&self.home.resource_arn(KIND, ""))?;
        self.code_signing.get_key_value(id).map(|(id, record)| (id.as_str(), record))
    }

    fn attached_to<'a>(&'a self, arn: &str) -> impl Iterator<Item = &'a str> {
        let functions = self.functions.values();
        functions
            .filter(move |function| function.code_signing_config.as_deref() == Some(arn))
            .map(|function| function.name.as_str())
    }
}

fn missing(arn: &str) -> ApiError {
    let why = format!("The Lambda code signing configuration {arn} can not be found.");
    ApiError::not_found(why).nobodys()
}

fn show(home: &Home, id: &str, record: &CodeSigningRecord) -> Value {
    let mut shown = json!({
        "CodeSigningConfigId": id,
        "CodeSigningConfigArn": home.resource_arn(KIND, id),
        "AllowedPublishers": record.allowed_publishers,
        "CodeSigningPolicies": record.policies,
        "LastModified": timestamp(record.changed_ms),
    });
    if let Some(description) = &record.description {
        shown["Description"] = json!(description);
    }
    shown
}
