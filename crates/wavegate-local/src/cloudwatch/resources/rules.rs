//! Insight rules. Nothing is counted by them.

use super::{Resources, one_page};
use crate::cloudwatch::fault::Fault;
use crate::cloudwatch::home::Home;
use crate::cloudwatch::value::{Members, Record, Value};

impl Resources {
    pub(super) fn put_rule(&mut self, home: &Home, input: &Record) -> Result<Record, Fault> {
        let name = input.text("RuleName").unwrap_or_default();
        let definition = input.text("RuleDefinition").unwrap_or_default();
        let schema = schema(definition).ok_or_else(|| {
            Fault::value(
                "The parameter RuleDefinition must be a JSON object whose Schema has a Name and a \
                 Version.",
            )
        })?;
        let rule = Record::new()
            .with("Name", name)
            .with("State", input.text("RuleState").unwrap_or("ENABLED"))
            .with("Schema", schema)
            .with("Definition", definition)
            .with("ManagedRule", false)
            .with("ApplyOnTransformedLogs", false)
            .with_copies(input, &["ApplyOnTransformedLogs"]);
        self.rules.insert(name.to_owned(), rule);
        self.tag_new(home.rule(name), input);
        Ok(Record::new())
    }

    pub(super) fn describe_rules(&self, input: &Record) -> Result<Record, Fault> {
        let (found, next) = one_page(&self.rules, "DescribeInsightRules", input, |_| true)?;
        Ok(Record::new().with("InsightRules", found).with_some("NextToken", next))
    }

    pub(super) fn set_rules(&mut self, input: &Record, state: &str) -> Record {
        self.each_rule(input, |resources, name| {
            let rule = resources.rules.get_mut(name)?;
            rule.set("State", state);
            Some(())
        })
    }

    pub(super) fn delete_rules(&mut self, home: &Home, input: &Record) -> Record {
        self.each_rule(input, |resources, name| {
            resources.tags.remove(&home.rule(name));
            resources.rules.remove(name).map(|_| ())
        })
    }

    /// Does something to each rule that a request names, and answers which there are not.
    fn each_rule(
        &mut self,
        input: &Record,
        mut does: impl FnMut(&mut Self, &str) -> Option<()>,
    ) -> Record {
        let mut failures = Vec::new();
        for name in input.texts("RuleNames") {
            if does(self, name).is_none() {
                failures.push(
                    Record::new()
                        .with("FailureResource", name)
                        .with("ExceptionType", "ResourceNotFoundException")
                        .with("FailureCode", "404")
                        .with("FailureDescription", format!("The rule {name} does not exist")),
                );
            }
        }
        Record::new().with("Failures", failures)
    }
}

/// `CloudWatchLogRule/1`, as a rule's definition says it.
fn schema(definition: &str) -> Option<String> {
    let definition: Value = serde_json::from_str(definition).ok()?;
    let schema = definition.get("Schema")?;
    Some(format!("{}/{}", schema.get("Name")?.as_str()?, schema.get("Version")?))
}
