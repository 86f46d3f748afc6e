//! Functions whose traffic goes on being moved by CodeDeploy: the service role, the triggers, and what
//! is told of their hooks. Without it, wavegate moves it, and the same parts of the file are left out.

use std::ops::Range;

use crate::code;
use crate::import::draft::{Draft, unknowns};
use crate::import::value::{Data, Text, Value};
use crate::import::write::{self, AWS_PROFILE, Item};
use crate::import::yaml::Node;
use crate::raw::TRIGGER_EVENTS;
use crate::units;

/// The keys of a trigger, as CloudFormation has them and as the manifest does.
const TRIGGER: [(&str, &str); 3] =
    [("TriggerName", "name"), ("TriggerTargetArn", "topic"), ("TriggerEvents", "events")];

/// What is told of a function that stays with CodeDeploy.
const DELEGATED: &str = "CodeDeploy goes on moving the traffic, and hooks go on answering it; wavegate makes an application and a \
                         deployment group of its own for that, unless `codedeploy` names the stack's, whose names \
                         CloudFormation made up";

/// Why CodeDeploy's role is not in the manifest.
pub(crate) const NO_ROLE: &str =
    "it is CodeDeploy's: wavegate moves the traffic with your own credentials";

/// Why triggers are not in the manifest.
pub(crate) const NO_TRIGGERS: &str =
    "CodeDeploy told SNS topics: a hook in on_rollback or post_traffic can tell them";

/// What is told of a hook that was written for CodeDeploy, where wavegate asks it.
const ANSWER: &str = "wavegate invokes it and reads its answer: let it return {\"hookStatus\": \
                      \"SUCCEEDED\"} or FAILED instead of telling CodeDeploy";

impl Draft<'_> {
    /// CodeDeploy moves a function's traffic.
    pub(crate) fn delegate(&mut self, id: &str, (span, property): (&Range<usize>, &str)) {
        self.it(id).codedeploy = Some(Vec::new());
        let key = format!("functions.{}.engine", write::key(id));
        self.ledger.changed(span, property, &key, DELEGATED);
    }

    /// Whether CodeDeploy moves a function's traffic.
    pub(crate) fn is_delegated(&self, id: &str) -> bool {
        let mut functions = self.app.functions.iter();
        functions.any(|function| function.key == id && function.codedeploy.is_some())
    }

    /// The service role of CodeDeploy; where the file names none, `maker` makes one. One that is not
    /// known is only needed on AWS.
    pub(crate) fn service_role(
        &mut self,
        id: &str,
        at: (&Range<usize>, &str),
        node: Option<&Node>,
        maker: &str,
    ) {
        let (span, property) = at;
        if !self.is_delegated(id) {
            if node.is_some() {
                self.ledger.left_out(span, property, NO_ROLE);
            }
            return;
        }
        let value = node.map(|node| self.template.resolve(node)).filter(|role| !role.is_nothing());
        let text = match value {
            Some(value) => self.single(&value, property),
            None => Some(self.made_role(maker)),
        };
        let Some(text) = text else { return };
        match text.as_known() {
            Some(known) if !units::is_role_arn(&known) => {
                let message = format!("`{known}` is not a role's ARN");
                let help = format!("write it like \"{}\"", units::ROLE_FORM);
                self.template.problem(code::TEMPLATE_VALUE, span, &message, &help);
            }
            _ => self.tell_codedeploy(id, at, "role", Item::Text(text)),
        }
    }

    fn made_role(&self, maker: &str) -> Text {
        let said = format!("the service role that {maker} made for CodeDeploy");
        let reason = "it is `CodeDeployServiceRole` among the stack's resources: its ARN, or that of another role \
                      that CodeDeploy may act with";
        Text::unknown(&self.template.hole(&said, "CodeDeployServiceRoleArn", &said, reason))
    }

    /// The topics that CodeDeploy tells.
    pub(crate) fn triggers(&mut self, id: &str, at: (&Range<usize>, &str), node: &Node) {
        let (span, property) = at;
        if !self.is_delegated(id) {
            self.ledger.left_out(span, property, NO_TRIGGERS);
            return;
        }
        let triggers = match self.template.resolve(node).data {
            Data::List(list) => list,
            Data::Nothing => return self.ledger.left_out(span, property, "it comes to nothing"),
            _ => {
                let message = format!("`{property}` takes a list of triggers");
                self.template.problem(code::TEMPLATE_SHAPE, span, &message, "");
                return;
            }
        };
        let mut tables: Vec<Vec<(String, Item)>> = Vec::new();
        for trigger in &triggers {
            let table = self.trigger(property, trigger);
            // SAM puts those of Globals and of the function behind each other.
            tables.extend(table.filter(|table| !tables.contains(table)));
        }
        if !tables.is_empty() {
            self.tell_codedeploy(id, at, "triggers", Item::Tables(tables));
        } else if triggers.is_empty() {
            self.ledger.left_out(span, property, "there is none");
        }
    }

    /// One trigger, whole; a problem if it is not.
    fn trigger(&self, property: &str, trigger: &Value) -> Option<Vec<(String, Item)>> {
        let entries = trigger.map().unwrap_or_default();
        let is_known = |key: &str| TRIGGER.iter().any(|(known, _)| *known == key);
        let is_whole = TRIGGER.iter().all(|(key, _)| trigger.get(key).is_some());
        if !is_whole || !entries.iter().all(|(key, _)| is_known(key)) {
            let message = format!("`{property}` holds something that is no trigger");
            let help = "a trigger has TriggerName, TriggerTargetArn and TriggerEvents";
            self.template.problem(code::TEMPLATE_DEPLOYMENT, &trigger.span, &message, help);
            return None;
        }
        let mut table = Vec::new();
        for (key, name) in TRIGGER {
            let value = trigger.get(key)?;
            let item = if name == "events" {
                Item::List(self.texts(value, property))
            } else {
                Item::Text(self.single(value, property)?)
            };
            self.judge(name, &item, value);
            table.push((name.to_owned(), item));
        }
        Some(table)
    }

    /// What CodeDeploy refuses in a trigger.
    fn judge(&self, name: &str, item: &Item, value: &Value) {
        let wrong = |message: &str, help: &str| {
            self.template.problem(code::TEMPLATE_VALUE, &value.span, message, help);
        };
        match (name, item) {
            ("topic", Item::Text(text))
                if text.as_known().is_some_and(|arn| !units::is_topic_arn(&arn)) =>
            {
                wrong("this is not the ARN of a topic", "");
            }
            (_, Item::List(events)) => {
                let known = events.iter().filter_map(Text::as_known);
                for event in known.filter(|event| !TRIGGER_EVENTS.contains(&event.as_str())) {
                    let help = format!("there are {}", TRIGGER_EVENTS.join(", "));
                    wrong(&format!("CodeDeploy knows no event `{event}`"), &help);
                }
            }
            _ => {}
        }
    }

    fn tell_codedeploy(
        &mut self,
        id: &str,
        at: (&Range<usize>, &str),
        key: &'static str,
        item: Item,
    ) {
        let unknowns = unknowns(&item);
        let profile = if unknowns.is_empty() { "" } else { AWS_PROFILE };
        let full = format!("{profile}functions.{}.codedeploy.{key}", write::key(id));
        self.it(id).codedeploy.get_or_insert_default().push((key, item));
        self.told(at, &full, &unknowns);
    }

    /// Tells of a hook. One that CodeDeploy goes on calling means what it meant.
    pub(crate) fn told_hook(
        &mut self,
        id: &str,
        (span, property): (&Range<usize>, &str),
        key: &str,
    ) {
        if self.is_delegated(id) {
            self.ledger.taken(span, property, key);
        } else {
            self.ledger.changed(span, property, key, ANSWER);
        }
    }
}
