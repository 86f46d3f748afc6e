//! A function's `DeploymentPreference`: its type, alarms and hooks.

use std::ops::Range;

use super::Importer;
use crate::code;
use crate::import::Engine;
use crate::import::alarm::{self, AlarmUse};
use crate::import::cfn::{intrinsic, is_true};
use crate::import::draft::table_name;
use crate::import::physical::type_of;
use crate::import::value::{Text, Value};
use crate::import::write::{self, Item, Table};
use crate::import::yaml::Node;

/// The keys that SAM takes.
const KEYS: [&str; 7] =
    ["Type", "Enabled", "Alarms", "Hooks", "Role", "TriggerConfigurations", "PassthroughCondition"];

impl Importer<'_> {
    /// Takes a function's deployment preference.
    pub(super) fn deployment(&mut self, id: &str, resource: &Node, span: &Range<usize>) {
        let Some(properties) = resource.get("Properties") else { return };
        let Some((key, node)) = properties.entry("DeploymentPreference") else { return };
        let property = format!("{id}.DeploymentPreference");
        let node = match self.draft.template.branch(node) {
            Ok(Some(node)) => node,
            Ok(None) => {
                self.draft.ledger.left_out(&key.span, &property, "it comes to nothing");
                return;
            }
            Err(unknown) => {
                let why = format!(
                    "whether it applies depends on {}: give it with --parameter",
                    unknown.said
                );
                self.draft.ledger.left_out(&key.span, &property, &why);
                return;
            }
        };
        let Some(entries) = node.map() else {
            let message = format!("`{property}` takes a map");
            self.draft.template.problem(code::TEMPLATE_SHAPE, &node.span, &message, "");
            return;
        };
        for (key, _) in entries {
            if !KEYS.contains(&key.text.as_str()) {
                let message = format!("SAM knows no `{}` in a DeploymentPreference", key.text);
                let help = format!("it takes {}", KEYS.join(", "));
                self.draft.template.problem(code::TEMPLATE_DEPLOYMENT, &key.span, &message, &help);
            }
        }
        if !self.is_enabled(node, id, &property) {
            for (key, _) in entries.iter().filter(|(key, _)| key.text != "Enabled") {
                let why = "the deployment preference is not enabled: SAM moves all traffic at once";
                self.draft.ledger.left_out(&key.span, &format!("{property}.{}", key.text), why);
            }
            return;
        }
        if properties.get("AutoPublishAlias").is_none() {
            let message = format!("`{property}` needs an AutoPublishAlias");
            let help = "add `AutoPublishAlias: live` to the function or to Globals";
            self.draft.template.problem(code::TEMPLATE_DEPLOYMENT, &key.span, &message, help);
        }
        if node.get("Type").is_none() {
            let message = format!("`{property}` has no Type");
            let help = "add a Type such as Canary10Percent5Minutes, or `Enabled: false`";
            self.draft.template.problem(code::TEMPLATE_DEPLOYMENT, span, &message, help);
        }
        if self.request.engine == Engine::CodeDeploy {
            self.draft.delegate(id, (&key.span, &property));
        }
        if node.get("Role").is_none() {
            let property = format!("{property}.Role");
            self.draft.service_role(id, (&key.span, &property), None, "SAM");
        }
        for (key, node) in entries {
            let property = format!("{property}.{}", key.text);
            let span = key.span.start..node.span.end;
            match key.text.as_str() {
                "Type" => self.strategy(id, &property, &span, node),
                "Alarms" => self.alarms(id, &property, &span, node),
                "Hooks" => self.hooks(id, &property, &span, node),
                "Role" => self.draft.service_role(id, (&span, &property), Some(node), "SAM"),
                "TriggerConfigurations" => self.draft.triggers(id, (&span, &property), node),
                "PassthroughCondition" => {
                    self.draft.ledger.left_out(
                        &span,
                        &property,
                        "conditions were decided at the import",
                    );
                }
                _ => {}
            }
        }
    }

    fn is_enabled(&mut self, preference: &Node, id: &str, property: &str) -> bool {
        let Some((key, node)) = preference.entry("Enabled") else { return true };
        let property = format!("{property}.Enabled");
        let span = key.span.start..node.span.end;
        let value = self.draft.template.resolve(node);
        let full = format!("functions.{}.strategy", write::key(id));
        match (value.known(), value.as_text().and_then(|text| text.unknowns().next())) {
            (Some(known), _) if is_true(&known) => {
                self.draft.ledger.taken(&span, &property, &full);
                true
            }
            (Some(_), _) => {
                let why = "without a deployment preference all traffic moves at once";
                self.draft.ledger.changed(&span, &property, &full, why);
                false
            }
            (None, Some(unknown)) => {
                let why =
                    format!("it depends on {}, and is taken as if it were true", unknown.said);
                self.draft.ledger.changed(&span, &property, &full, &why);
                true
            }
            (None, None) => value.is_nothing(),
        }
    }

    fn strategy(&mut self, id: &str, property: &str, span: &Range<usize>, node: &Node) {
        // A config that this very template declares says what it does.
        if let Ok(Some(node)) = self.draft.template.branch(node)
            && let Some(("Ref", argument)) = intrinsic(node)
            && let Some(config) = argument.text()
            && self.custom(id, property, span, config)
        {
            return;
        }
        let value = self.draft.template.resolve(node);
        let Some(text) = value.as_text() else {
            let message =
                format!("`{property}` takes a single value, and this is {}", value.kind());
            self.draft.template.problem(code::TEMPLATE_SHAPE, span, &message, "");
            return;
        };
        let text = text.clone();
        self.draft.strategy(id, (span, property), &text);
    }

    /// A deployment config of the template, by its logical id.
    fn custom(&mut self, id: &str, property: &str, span: &Range<usize>, config: &str) -> bool {
        let Some(resource) = self.draft.template.resource(config) else { return false };
        if type_of(resource) != "AWS::CodeDeploy::DeploymentConfig" {
            return false;
        }
        let routing = resource.at(&["Properties", "TrafficRoutingConfig"]);
        let Some(routing) = routing.map(|node| self.draft.template.resolve(node)) else {
            return false;
        };
        let part = |table: &str, key: &str| {
            let found = routing.get(table)?.get(key)?.known()?;
            found.parse::<u32>().ok()
        };
        let (canary, linear) = ("TimeBasedCanary", "TimeBasedLinear");
        let (table, kind) = match routing.get("Type").and_then(Value::known).as_deref() {
            Some("TimeBasedCanary") => {
                ((part(canary, "CanaryPercentage"), part(canary, "CanaryInterval")), "canary")
            }
            Some("TimeBasedLinear") => {
                ((part(linear, "LinearPercentage"), part(linear, "LinearInterval")), "linear")
            }
            _ => return false,
        };
        let (Some(percent), Some(minutes)) = table else { return false };
        let wait = if kind == "canary" { "bake" } else { "every" };
        let keys = vec![
            ("use", Item::text(kind)),
            ("percent", Item::Number(percent.to_string())),
            (wait, Item::text(&format!("{minutes}m"))),
        ];
        self.draft.used.push(config.to_owned());
        self.draft.table(|app| &mut app.strategies, Table { name: config.to_owned(), keys });
        self.draft.ledger.taken(
            &resource.span,
            config,
            &format!("strategies.{}", write::key(config)),
        );
        self.draft.put(id, (span, property), "strategy", Item::text(config));
        true
    }

    fn alarms(&mut self, id: &str, property: &str, span: &Range<usize>, node: &Node) {
        let node = match self.draft.template.branch(node) {
            Ok(Some(node)) => node,
            Ok(None) => {
                self.draft.ledger.left_out(span, property, "it comes to nothing");
                return;
            }
            Err(unknown) => {
                let why =
                    format!("which alarms depends on {}: give it with --parameter", unknown.said);
                self.draft.ledger.left_out(span, property, &why);
                return;
            }
        };
        let Some(elements) = node.list() else {
            let message = format!("`{property}` takes a list of alarms");
            self.draft.template.problem(code::TEMPLATE_SHAPE, &node.span, &message, "");
            return;
        };
        let mut names = Vec::new();
        for element in elements {
            match self.draft.template.branch(element) {
                Ok(Some(element)) => names.extend(self.alarm_use(id, property, element)),
                Ok(None) => {}
                Err(unknown) => {
                    let why = format!("whether it counts depends on {}", unknown.said);
                    self.draft.ledger.left_out(&element.span, property, &why);
                }
            }
        }
        let key = format!("functions.{}.alarms", write::key(id));
        self.draft.ledger.taken(span, property, &key);
        if !names.is_empty() {
            names.dedup();
            self.draft.it(id).set("alarms", Item::names(&names));
        }
    }

    /// One alarm that a function names; the name of its table.
    fn alarm_use(&mut self, id: &str, property: &str, element: &Node) -> Option<String> {
        let declared = match intrinsic(element) {
            Some(("Ref", argument)) => argument.text().map(str::to_owned),
            // A list in plain text names alarms by their names.
            _ => None,
        };
        let resource = declared.filter(|id| {
            let resource = self.draft.template.resource(id);
            resource.is_some_and(|resource| alarm::TYPES.contains(&type_of(resource)))
        });
        let value = self.draft.template.resolve(element);
        let Some(text) = value.as_text().cloned() else {
            let message =
                format!("`{property}` takes the names of alarms, and this is {}", value.kind());
            self.draft.template.problem(code::TEMPLATE_SHAPE, &element.span, &message, "");
            return None;
        };
        let table = match (&resource, text.as_known()) {
            (Some(id), _) => id.clone(),
            (None, Some(known)) => table_name(&known),
            (None, None) => {
                let first = text.unknowns().next()?;
                table_name(&first.variable.to_ascii_lowercase())
            }
        };
        let known = self.draft.alarms.entry(table.clone()).or_insert_with(|| AlarmUse {
            table: table.clone(),
            functions: Vec::new(),
            resource,
            name: text,
            span: element.span.clone(),
            property: property.to_owned(),
        });
        known.functions.push(id.to_owned());
        Some(table)
    }

    fn hooks(&mut self, id: &str, property: &str, span: &Range<usize>, node: &Node) {
        let node = match self.draft.template.branch(node) {
            Ok(Some(node)) => node,
            Ok(None) => return self.draft.ledger.left_out(span, property, "it comes to nothing"),
            Err(unknown) => {
                let why = format!("whether there are hooks depends on {}", unknown.said);
                return self.draft.ledger.left_out(span, property, &why);
            }
        };
        let Some(entries) = node.map() else {
            let message = format!("`{property}` takes a map of PreTraffic and PostTraffic");
            self.draft.template.problem(code::TEMPLATE_SHAPE, &node.span, &message, "");
            return;
        };
        let mut phases = Vec::new();
        for (key, node) in entries {
            let phase = match key.text.as_str() {
                "PreTraffic" => "pre_traffic",
                "PostTraffic" => "post_traffic",
                other => {
                    let message = format!("there is no hook `{other}`");
                    let help = "SAM takes PreTraffic and PostTraffic";
                    self.draft.template.problem(
                        code::TEMPLATE_DEPLOYMENT,
                        &key.span,
                        &message,
                        help,
                    );
                    continue;
                }
            };
            let property = format!("{property}.{}", key.text);
            let span = key.span.start..node.span.end;
            if let Some(name) = self.hook(id, phase, &property, &span, node) {
                phases.push((phase.to_owned(), Item::names(&[name])));
            }
        }
        if !phases.is_empty() {
            self.draft.it(id).set("hooks", Item::Table(phases));
        }
    }

    /// One hook; the name of its table.
    fn hook(
        &mut self,
        id: &str,
        phase: &str,
        property: &str,
        span: &Range<usize>,
        node: &Node,
    ) -> Option<String> {
        let node = self.draft.template.branch(node).ok().flatten()?;
        self.draft.template.take_references();
        let value = self.draft.template.resolve(node);
        let Some(text) = value.as_text().cloned() else {
            let message = format!("`{property}` takes a function, and this is {}", value.kind());
            self.draft.template.problem(code::TEMPLATE_SHAPE, span, &message, "");
            return None;
        };
        let referred =
            self.draft.template.take_references().into_iter().map(|reference| reference.to);
        let own = referred.into_iter().find(|to| self.keys.contains_key(to));
        let (name, function) = match (&own, text.as_known()) {
            (Some(own), _) => (own.clone(), Text::known(own.as_str())),
            (None, Some(known)) => (table_name(&known), text.clone()),
            (None, None) => {
                let first = text.unknowns().next()?;
                (table_name(&first.variable.to_ascii_lowercase()), text.clone())
            }
        };
        if let Some(own) = &own {
            let resource = self.draft.template.resource(own);
            let timeout = resource.and_then(|node| node.at(&["Properties", "Timeout"]));
            let timeout =
                timeout.and_then(|node| self.draft.template.resolve(node).known()?.parse().ok());
            self.draft.own_hook(id, own, timeout, (span, property));
        } else {
            let keys = vec![("use", Item::text("lambda")), ("function", Item::Text(function))];
            self.draft.table(|app| &mut app.hooks, Table { name: name.clone(), keys });
        }
        let key = format!("functions.{}.hooks.{phase}", write::key(id));
        let unknowns: Vec<_> = text.unknowns().cloned().collect();
        if own.is_none() && !unknowns.is_empty() {
            self.draft.ledger.unresolved(span, property, &key, &unknowns);
        }
        self.draft.told_hook(id, (span, property), &key);
        Some(name)
    }
}
