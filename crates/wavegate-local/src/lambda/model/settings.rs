//! Small settings of a function: when its runtime is updated, whether it may call itself in a loop,
//! how far a version is scaled. They are kept and shown; but for a pinned runtime, which
//! configurations tell, nothing here acts on them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Lambda;
use super::record::VersionRecord;
use crate::lambda::error::ApiError;
use crate::lambda::name::LATEST;

const RECURSION_DEFAULT: &str = "Terminate";

/// `PutRuntimeManagementConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RuntimeManagementInput {
    /// `Auto`, `FunctionUpdate` or `Manual`.
    pub update_runtime_on: String,
    /// The version to stay at, for `Manual`.
    pub runtime_version_arn: Option<String>,
}

/// Settings that belong to the function as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `Allow` or `Terminate`, if it was set.
    pub recursive_loop: Option<String>,
}

impl Lambda {
    /// `PutRuntimeManagementConfig`, of `$LATEST` or a version.
    pub fn put_runtime_management(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
        input: RuntimeManagementInput,
    ) -> Result<Value, ApiError> {
        let (target, _) = self.qualified(now, name, qualifier)?;
        let is_manual = input.update_runtime_on == "Manual";
        // AWS documents the rule; its wording is not recorded.
        if is_manual != input.runtime_version_arn.is_some() {
            return Err(ApiError::invalid(
                "RuntimeVersionArn is required for the Manual runtime update mode, and for no \
                 other.",
            ));
        }
        let arn = self.home.arn(&target.name, target.qualifier.as_deref());
        let version = target.qualifier.as_deref().unwrap_or(LATEST);
        let function = self.function_mut(now, &target.name)?;
        let record = function.version_mut(version).ok_or_else(|| ApiError::no_function(&arn))?;
        record.update_runtime_on = Some(input.update_runtime_on);
        record.pinned_runtime = input.runtime_version_arn;
        Ok(show_runtime(record, &arn))
    }

    /// `GetRuntimeManagementConfig`.
    pub fn get_runtime_management(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Value, ApiError> {
        let (target, _) = self.qualified(now, name, qualifier)?;
        let arn = self.home.arn(&target.name, target.qualifier.as_deref());
        Ok(show_runtime(&self.version(now, &target)?, &arn))
    }

    /// `PutFunctionRecursionConfig`.
    pub fn put_recursion(
        &mut self,
        now: i64,
        name: &str,
        recursive_loop: &str,
    ) -> Result<Value, ApiError> {
        let name = self.unqualified(name)?;
        let settings = &mut self.function_mut(now, &name)?.settings;
        settings.recursive_loop = Some(recursive_loop.to_owned());
        Ok(json!({ "RecursiveLoop": recursive_loop }))
    }

    /// `GetFunctionRecursionConfig`.
    pub fn get_recursion(&self, name: &str) -> Result<Value, ApiError> {
        let name = self.unqualified(name)?;
        let set = self.function(&name)?.settings.recursive_loop.as_deref();
        Ok(json!({ "RecursiveLoop": set.unwrap_or(RECURSION_DEFAULT) }))
    }

    /// `PutFunctionScalingConfig`, of a published version. What is given is at once applied.
    pub fn put_scaling(
        &mut self,
        now: i64,
        name: &str,
        qualifier: &str,
        config: Option<Value>,
    ) -> Result<Value, ApiError> {
        let (target, _) = self.qualified(now, name, Some(qualifier))?;
        let arn = self.home.arn(&target.name, target.qualifier.as_deref());
        let function = self.function_mut(now, &target.name)?;
        let version = function.version_mut(qualifier).ok_or_else(|| ApiError::no_function(&arn))?;
        version.scaling = config.filter(|config| *config != json!({}));
        Ok(json!({ "FunctionState": "Active" }))
    }

    /// `GetFunctionScalingConfig`.
    pub fn get_scaling(&self, now: i64, name: &str, qualifier: &str) -> Result<Value, ApiError> {
        let (target, _) = self.qualified(now, name, Some(qualifier))?;
        let version = self.version(now, &target)?;
        let mut shown = Map::new();
        let arn = self.home.arn(&target.name, target.qualifier.as_deref());
        shown.insert("FunctionArn".to_owned(), json!(arn));
        if let Some(config) = version.scaling {
            shown.insert("RequestedFunctionScalingConfig".to_owned(), config.clone());
            shown.insert("AppliedFunctionScalingConfig".to_owned(), config);
        }
        Ok(Value::Object(shown))
    }
}

fn show_runtime(version: &VersionRecord, arn: &str) -> Value {
    let mut shown = json!({
        "UpdateRuntimeOn": version.update_runtime_on.as_deref().unwrap_or("Auto"),
        "FunctionArn": arn,
    });
    if let Some(pinned) = &version.pinned_runtime {
        shown["RuntimeVersionArn"] = json!(pinned);
    }
    shown
}
