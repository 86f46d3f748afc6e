//! Who else may use a version of a layer. Kept and shown: nothing here judges by it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Lambda;
use super::layer::{LayerVersionRecord, positive};
use super::policy::Principal;
use super::record::PolicyRecord;
use crate::ids::Ids;
use crate::lambda::error::ApiError;
use crate::lambda::output::Policy;

const CALL: &str = "GetLayerPolicy";

/// `AddLayerVersionPermission`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddLayerPermission {
    /// Name of the statement.
    pub statement_id: String,
    /// `lambda:GetLayerVersion`.
    pub action: String,
    /// An account, or `*`.
    pub principal: String,
    /// With `*`: only accounts of this organization.
    pub organization_id: Option<String>,
    /// Act only on this revision of the policy.
    pub revision_id: Option<String>,
}

impl Lambda {
    /// `AddLayerVersionPermission`; answers with the statement as JSON text and the revision.
    pub fn add_layer_permission(
        &mut self,
        ids: &mut dyn Ids,
        layer: &str,
        number: i64,
        input: &AddLayerPermission,
    ) -> Result<Value, ApiError> {
        let partition = self.home.partition();
        let (name, arn) = self.policed(layer, number)?;
        let version = self.policed_version(&name, number)?;
        let mut statement = json!({
            "Sid": input.statement_id,
            "Effect": "Allow",
            "Principal": Principal::of(&input.principal).json(partition),
            "Action": input.action,
            "Resource": arn,
        });
        if let Some(organization) = &input.organization_id {
            statement["Condition"] =
                json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
        }
        let revision = input.revision_id.as_deref();
        let policy = PolicyRecord::or_new(&mut version.policy, ids, revision, None, CALL)?;
        policy.add(ids, &input.statement_id, statement)?;
        let told = policy.statement(&input.statement_id).unwrap_or_default();
        let answer = json!({ "Statement": told, "RevisionId": policy.revision_id });
        Ok(answer)
    }

    /// `GetLayerVersionPolicy`.
    pub fn get_layer_policy(&self, layer: &str, number: i64) -> Result<Policy, ApiError> {
        let (name, _) = self.policed(layer, number)?;
        let version = self.layer_version(&name, positive(number)?);
        let policy = version.and_then(|version| version.policy.as_ref());
        Ok(policy.ok_or_else(no_policy)?.document())
    }

    /// `RemoveLayerVersionPermission`.
    pub fn remove_layer_permission(
        &mut self,
        ids: &mut dyn Ids,
        layer: &str,
        number: i64,
        statement_id: &str,
        revision_id: Option<&str>,
    ) -> Result<(), ApiError> {
        let (name, _) = self.policed(layer, number)?;
        let version = self.policed_version(&name, number)?;
        let policy = version.policy.as_mut().ok_or_else(no_policy)?;
        policy.check_revision(revision_id, CALL)?;
        policy.remove(ids, statement_id)?;
        if policy.statements.is_empty() {
            version.policy = None;
        }
        Ok(())
    }

    /// The name of a version that exists, and its ARN.
    fn policed(&self, layer: &str, number: i64) -> Result<(String, String), ApiError> {
        let name = self.layer_name(layer)?;
        let number = positive(number)?;
        let arn = self.home.resource_arn("layer", &format!("{name}:{number}"));
        match self.layer_version(&name, number) {
            Some(_) => Ok((name, arn)),
            None => Err(ApiError::not_found(format!("Layer version {arn} does not exist."))),
        }
    }

    fn policed_version(
        &mut self,
        name: &str,
        number: i64,
    ) -> Result<&mut LayerVersionRecord, ApiError> {
        let number = positive(number)?;
        let layer = self.layers.get_mut(name);
        layer.and_then(|layer| layer.versions.get_mut(&number)).ok_or_else(no_policy)
    }
}

fn no_policy() -> ApiError {
    ApiError::not_found("No policy is associated with the given resource.")
}
