//! The tags of sessions: which of them go along when their role assumes another.

use serde::Deserialize;

use super::Session;
use crate::wire::Fault;

/// A tag as it comes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

impl Tag {
    pub(super) fn len(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// The keys, in lower case, of the tags that go along with a new session. AWS: keys are one whatever
/// their case, and what goes along cannot be given anew.
pub(super) fn transitive(
    tags: &[Tag],
    keys: &[String],
    caller: &Session,
) -> Result<Vec<String>, Fault> {
    let refuse = |message: &str| Err(Fault::front(400, "InvalidParameterValue", message));
    let given: Vec<String> = tags.iter().map(|tag| tag.key.to_lowercase()).collect();
    if given.iter().enumerate().any(|(at, key)| given[..at].contains(key)) {
        return refuse("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
    }
    let keys: Vec<String> = keys.iter().map(|key| key.to_lowercase()).collect();
    if keys.iter().any(|key| !given.contains(key)) {
        return refuse("The specified transitive tag key must be included in the requested tags.");
    }
    if given.iter().any(|key| caller.transitive_tags.contains(key)) {
        return refuse(
            "One of the specified transitive tag keys can't be set because it conflicts with a \
             transitive tag key from the calling session.",
        );
    }
    Ok(caller.transitive_tags.iter().cloned().chain(keys).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_one_whatever_their_case_and_what_goes_along_stays() {
        let tag = |key: &str| Tag { key: key.to_owned(), value: "v".to_owned() };
        let root = Session::of_root("000000000000");
        let chained = |caller: &Session, tags: &[&str], keys: &[&str]| {
            let tags: Vec<Tag> = tags.iter().map(|key| tag(key)).collect();
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            transitive(&tags, &keys, caller)
        };
        assert_eq!(chained(&root, &["Team", "x"], &["team"]), Ok(vec!["team".to_owned()]));
        let in_team = Session { transitive_tags: vec!["team".to_owned()], ..root.clone() };
        assert_eq!(chained(&in_team, &["y"], &["y"]).unwrap(), ["team", "y"]);
        for (caller, tags, keys) in [
            (&root, &["a", "A"][..], &[][..]),
            (&root, &["a"][..], &["b"][..]),
            (&in_team, &["TEAM"][..], &[][..]),
        ] {
            assert_eq!(chained(caller, tags, keys).unwrap_err().code, "InvalidParameterValue");
        }
    }
}
