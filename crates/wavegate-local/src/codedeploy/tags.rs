//! Tags of applications and deployment groups.

use serde_json::{Value, json};

use super::CodeDeploy;
use super::fault::{Fault, FaultKind};
use super::input::{Tag, TagsInput};
use super::record::Tags;
use super::show;

/// AWS: tags of a resource.
const TAGS_MAX: usize = 50;
/// AWS: characters of a key and of a value.
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// A resource that has tags.
enum Tagged {
    Application(String),
    Group(String),
}

impl CodeDeploy {
    pub(super) fn tag(&mut self, input: &TagsInput) -> Result<Value, Fault> {
        let tagged = self.tagged(input.resource_arn.as_deref())?;
        let new = of(input.tags.clone())?;
        if new.is_empty() {
            return Err(Fault::new(FaultKind::TagRequired, "Tags are required"));
        }
        self.change_tags(&tagged, |tags| {
            tags.extend(new);
            check_count(tags)
        })
    }

    pub(super) fn untag(&mut self, input: &TagsInput) -> Result<Value, Fault> {
        let tagged = self.tagged(input.resource_arn.as_deref())?;
        let keys = input.tag_keys.clone().unwrap_or_default();
        if keys.is_empty() {
            return Err(Fault::new(FaultKind::TagRequired, "Tag keys are required"));
        }
        self.change_tags(&tagged, |tags| {
            tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    pub(super) fn list_tags(&self, input: &TagsInput) -> Result<Value, Fault> {
        let tags = match self.tagged(input.resource_arn.as_deref())? {
            Tagged::Application(name) => self.applications.get(&name).map(|it| &it.tags),
            Tagged::Group(id) => self.groups.get(&id).map(|it| &it.tags),
        };
        Ok(json!({ "Tags": tags.map_or_else(|| json!([]), show::tags) }))
    }

    fn change_tags(
        &mut self,
        tagged: &Tagged,
        change: impl FnOnce(&mut Tags) -> Result<(), Fault>,
    ) -> Result<Value, Fault> {
        // A change that is refused in its middle has not begun.
        let change = |tags: &mut Tags| {
            let mut changed = tags.clone();
            change(&mut changed).map(|()| *tags = changed)
        };
        let changed = match tagged {
            Tagged::Application(name) => self.applications.update(name, |it| change(&mut it.tags)),
            Tagged::Group(id) => self.groups.update(id, |it| change(&mut it.tags)),
        };
        changed.transpose()?;
        Ok(json!({}))
    }

    /// `arn:aws:codedeploy:REGION:ACCOUNT:application:NAME` or `…:deploymentgroup:NAME/GROUP`.
    fn tagged(&self, arn: Option<&str>) -> Result<Tagged, Fault> {
        let arn = arn.filter(|arn| !arn.is_empty()).ok_or_else(|| {
            Fault::new(FaultKind::ResourceArnRequired, "Resource ARN is required")
        })?;
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        let ["arn", _, "codedeploy", region, account, kind, name] = parts.as_slice() else {
            let message = format!("{arn} is no ARN of CodeDeploy");
            return Err(Fault::new(FaultKind::InvalidArn, message));
        };
        if (*region, *account) != (self.home.region.as_str(), self.home.account.as_str()) {
            let message = format!("{arn} is of another region or account");
            return Err(Fault::new(FaultKind::InvalidArn, message));
        }
        match (*kind, name.split_once('/')) {
            ("application", _) => {
                self.application(Some(name)).map(|it| Tagged::Application(it.name.clone()))
            }
            ("deploymentgroup", Some((application, group))) => {
                self.group(Some(application), Some(group)).map(|it| Tagged::Group(it.id.clone()))
            }
            _ => {
                let message = format!("{arn} has no tags in the local cloud");
                Err(Fault::new(FaultKind::ArnNotSupported, message))
            }
        }
    }
}

/// Tags that were given with a request.
pub(super) fn of(given: Option<Vec<Tag>>) -> Result<Tags, Fault> {
    let refuse = |message: String| Err(Fault::new(FaultKind::InvalidTagsToAdd, message));
    let mut tags = Tags::new();
    for Tag { key, value } in given.unwrap_or_default() {
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        let is_key = (1..=KEY_MAX).contains(&key.chars().count()) && !key.starts_with("aws:");
        if !is_key || value.chars().count() > VALUE_MAX {
            return refuse(format!(
                "A tag's key has 1 to {KEY_MAX} characters and does not begin with aws:, its value \
                 has up to {VALUE_MAX}; this one is {key:?}"
            ));
        }
        if tags.insert(key.clone(), value).is_some() {
            return refuse(format!("The tag {key} is there twice"));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &Tags) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        let message = format!("A resource has up to {TAGS_MAX} tags");
        return Err(Fault::new(FaultKind::InvalidTagsToAdd, message));
    }
    Ok(())
}
