//! Tags, and the operations on them. Alarms, dashboards, metric streams and insight rules have tags.

use std::collections::BTreeMap;

use super::CloudWatch;
use super::alarms::bare_name;
use super::fault::{Fault, FaultKind};
use super::value::{Members, Record, Value};

/// The most tags a resource may have.
const MOST_TAGS: usize = 50;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// The tags of a list of `Tag`.
pub(crate) fn read(value: Option<&Value>) -> Tags {
    let tags = value.and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(Value::as_object)
        .filter_map(|tag| Some((tag.text("Key")?.to_owned(), tag.text("Value")?.to_owned())))
        .collect()
}

/// The tags of the resource a request names; `None` when there is no such resource.
fn tagged<'a>(cloud: &'a mut CloudWatch, input: &Record) -> Result<Option<&'a mut Tags>, Fault> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    if !arn.starts_with("arn:") {
        return Err(Fault::value(format!("The value {arn} for parameter ResourceARN is invalid.")));
    }
    Ok(match arn.split_once(":dashboard/") {
        Some((_, name)) => cloud.dashboards.tags(name),
        None if arn.contains(":alarm:") => {
            cloud.alarms.all.get_mut(bare_name(arn)).map(|alarm| &mut alarm.tags)
        }
        None => cloud.resources.tags(arn),
    })
}

fn missing(input: &Record) -> Fault {
    let arn = input.text("ResourceARN").unwrap_or_default();
    Fault::new(FaultKind::ResourceNotFoundException, format!("The resource {arn} does not exist"))
}

/// `TagResource`.
pub(crate) fn tag_resource(cloud: &mut CloudWatch, input: &Record) -> Result<Record, Fault> {
    let tags = tagged(cloud, input)?.ok_or_else(|| missing(input))?;
    let mut all = tags.clone();
    all.extend(read(input.get("Tags")));
    if all.len() > MOST_TAGS {
        return Err(Fault::value(format!("A resource can have at most {MOST_TAGS} tags.")));
    }
    *tags = all;
    Ok(Record::new())
}

/// `UntagResource`.
pub(crate) fn untag_resource(cloud: &mut CloudWatch, input: &Record) -> Result<Record, Fault> {
    let tags = tagged(cloud, input)?.ok_or_else(|| missing(input))?;
    for key in input.texts("TagKeys") {
        tags.remove(key);
    }
    Ok(Record::new())
}

/// `ListTagsForResource`. AWS: what does not exist has no tags.
pub(crate) fn list_tags_for_resource(
    cloud: &mut CloudWatch,
    input: &Record,
) -> Result<Record, Fault> {
    let tags = tagged(cloud, input)?.map(|tags| tags.clone()).unwrap_or_default();
    let tags: Vec<Record> = tags
        .into_iter()
        .map(|(key, value)| Record::new().with("Key", key).with("Value", value))
        .collect();
    Ok(Record::new().with("Tags", tags))
}
