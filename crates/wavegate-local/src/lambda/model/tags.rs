//! Tags of functions, layers, code signing configurations and event source mappings, by ARN.

use std::collections::BTreeMap;

use super::Lambda;
use crate::ids::Ids;
use crate::lambda::error::ApiError;

/// AWS: tags of one resource.
const TAGS_MAX: usize = 50;

/// What an ARN of `TagResource` means.
enum Tagged {
    Function(String),
    CodeSigning(String),
    Mapping(String),
    Layer(String),
}

impl Lambda {
    /// `TagResource`. Tags of a function give its `$LATEST` a new revision id.
    pub fn tag(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        arn: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let tagged = self.tagged(arn)?;
        if tags.is_empty() {
            // AWS's own words.
            return Err(ApiError::invalid(
                "An error occurred and the request cannot be processed.",
            ));
        }
        let mut all = self.tags_of(&tagged, arn)?.clone();
        all.extend(tags);
        check_tags(&all)?;
        self.set_tags(now, ids, &tagged, arn, all)
    }

    /// `UntagResource`.
    pub fn untag(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        arn: &str,
        keys: &[String],
    ) -> Result<(), ApiError> {
        let tagged = self.tagged(arn)?;
        let mut left = self.tags_of(&tagged, arn)?.clone();
        left.retain(|key, _| !keys.contains(key));
        self.set_tags(now, ids, &tagged, arn, left)
    }

    /// `ListTags`.
    pub fn list_tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        Ok(self.tags_of(&self.tagged(arn)?, arn)?.clone())
    }

    fn tagged(&self, arn: &str) -> Result<Tagged, ApiError> {
        let id_of = |kind: &str| arn.strip_prefix(&self.home.resource_arn(kind, ""));
        if let Some(id) = id_of("code-signing-config") {
            return Ok(Tagged::CodeSigning(id.to_owned()));
        }
        if let Some(id) = id_of("event-source-mapping") {
            return Ok(Tagged::Mapping(id.to_owned()));
        }
        if let Some(name) = id_of("layer") {
            return Ok(Tagged::Layer(name.to_owned()));
        }
        if id_of("capacity-provider").is_some() {
            return Err(ApiError::not_found(format!("Capacity provider not found: {arn}")));
        }
        let target = self.home.resolve(arn, None)?;
        match target.qualifier {
            None => Ok(Tagged::Function(target.name)),
            Some(_) => Err(ApiError::invalid(
                "Tags on function aliases and versions are not supported. Please specify a \
                 function ARN.",
            )),
        }
    }

    fn tags_of(&self, tagged: &Tagged, arn: &str) -> Result<&BTreeMap<String, String>, ApiError> {
        let missing = |what: &str| ApiError::not_found(format!("{what} not found: {arn}"));
        match tagged {
            Tagged::Function(name) => Ok(&self.function(name)?.tags),
            Tagged::CodeSigning(id) => {
                let found = self.code_signing.get(id).map(|record| &record.tags);
                found.ok_or_else(|| missing("Code signing config"))
            }
            Tagged::Mapping(id) => {
                let found = self.mappings.get(id).map(|record| &record.tags);
                found.ok_or_else(|| missing("Event source mapping"))
            }
            Tagged::Layer(name) => {
                let found = self.layers.get(name).map(|record| &record.tags);
                found.ok_or_else(|| missing("Layer"))
            }
        }
    }

    fn set_tags(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        tagged: &Tagged,
        arn: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        if *self.tags_of(tagged, arn)? == tags {
            return Ok(());
        }
        match tagged {
            Tagged::Function(name) => {
                let function = self.function_mut(now, name)?;
                function.tags = tags;
                function.latest.revision_id = ids.uuid();
            }
            Tagged::CodeSigning(id) => {
                if let Some(record) = self.code_signing.get_mut(id) {
                    record.tags = tags;
                }
            }
            Tagged::Mapping(id) => {
                if let Some(record) = self.mappings.get_mut(id) {
                    record.tags = tags;
                }
            }
            Tagged::Layer(name) => {
                if let Some(record) = self.layers.get_mut(name) {
                    record.tags = tags;
                }
            }
        }
        Ok(())
    }
}

/// Whether a resource may have so many.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > TAGS_MAX {
        return Err(ApiError::invalid("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}
