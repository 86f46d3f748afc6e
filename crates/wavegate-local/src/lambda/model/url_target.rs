//! What a function URL leads to.

use serde_json::Value;

use super::{FunctionRecord, Lambda};

/// Where a function URL leads, and who may go there.
#[derive(Debug, Clone, PartialEq)]
pub struct UrlTarget {
    /// The function's plain name.
    pub function: String,
    /// The alias it belongs to, if to one.
    pub qualifier: Option<String>,
    /// `NONE` or `AWS_IAM`.
    pub auth_type: String,
    /// CORS settings.
    pub cors: Option<Value>,
    /// `BUFFERED` or `RESPONSE_STREAM`.
    pub invoke_mode: String,
    /// Whether the resource policy lets everybody invoke it.
    pub is_public: bool,
}

impl Lambda {
    /// What the function URL with that id leads to, if there is one.
    pub fn url_target(&self, id: &str) -> Option<UrlTarget> {
        self.functions.values().find_map(|function| {
            let (key, url) = function.beside.urls.iter().find(|(_, url)| url.id == id)?;
            Some(UrlTarget {
                function: function.name.clone(),
                qualifier: Some(key.clone()).filter(|key| !key.is_empty()),
                auth_type: url.auth_type.clone(),
                cors: url.cors.clone(),
                invoke_mode: url.invoke_mode.clone(),
                is_public: is_public(function, key),
            })
        })
    }
}

fn is_public(function: &FunctionRecord, key: &str) -> bool {
    let Some(policy) = function.policies.get(key) else { return false };
    policy.statements.iter().any(|(_, statement)| {
        let everybody = statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*";
        let action = statement["Action"].as_str().unwrap_or_default();
        everybody
            && statement["Effect"] == "Allow"
            && matches!(action, "lambda:InvokeFunctionUrl" | "lambda:*" | "*")
    })
}
