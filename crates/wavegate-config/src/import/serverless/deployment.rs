//! `deploymentSettings` of serverless-plugin-canary-deployments.
//!
//! Those of `custom` lie under those of each function that has any; a list of stages there says where
//! they count at all. Source: `serverless-plugin-canary-deployments.js` of the plugin.

use std::ops::Range;

use super::{Importer, logical_id};
use crate::code;
use crate::import::Engine;
use crate::import::alarm::{self, AlarmUse};
use crate::import::cfn::intrinsic;
use crate::import::codedeploy::{NO_ROLE, NO_TRIGGERS};
use crate::import::draft::{Alias, table_name};
use crate::import::physical::type_of;
use crate::import::value::{Text, Value};
use crate::import::write::{self, Item};
use crate::import::yaml::{Key, Node};

/// Who makes CodeDeploy's role where none is named.
const PLUGIN: &str = "serverless-plugin-canary-deployments";

impl Importer<'_> {
    /// Takes a function's settings, and the alias that they name.
    pub(super) fn deployment(&mut self, key: &Key, function: &Node) {
        let property = format!("{}.deploymentSettings", key.text);
        let Some((own_key, own)) = function.entry("deploymentSettings") else {
            let alias =
                Alias { name: None, span: key.span.clone(), property: format!("{property}.alias") };
            self.draft.aliases.push(alias);
            return;
        };
        let Some(own) = own.map() else {
            let message = format!("`{property}` takes a map");
            self.draft.template.problem(code::TEMPLATE_SHAPE, &own.span, &message, "");
            return;
        };
        let global = self.service.root.at(&["custom", "deploymentSettings"]);
        let global = global.and_then(Node::map).unwrap_or_default();
        let is_own = |name: &str| own.iter().any(|(key, _)| key.text == name);
        let inherited = global.iter().filter(|(key, _)| !is_own(&key.text));
        let settings: Vec<&(Key, Node)> = own.iter().chain(inherited).collect();
        let alias = settings.iter().find(|(key, _)| key.text == "alias");
        let name = alias.and_then(|(_, node)| self.draft.template.resolve(node).as_text().cloned());
        if name.is_none() {
            let message = format!("`{property}` has no alias");
            let help = "add an alias such as `alias: live`";
            self.draft.template.problem(code::TEMPLATE_DEPLOYMENT, &own_key.span, &message, help);
        }
        let span =
            alias.map_or_else(|| own_key.span.clone(), |(key, node)| key.span.start..node.span.end);
        self.draft.aliases.push(Alias { name, span, property: format!("{property}.alias") });
        if !self.is_enabled() {
            for (setting, _) in own.iter().filter(|(key, _)| key.text != "alias") {
                let why = format!(
                    "custom.deploymentSettings.stages does not have `{}`: all traffic moves at once",
                    self.service.stage
                );
                self.draft.ledger.left_out(
                    &setting.span,
                    &format!("{property}.{}", setting.text),
                    &why,
                );
            }
            return;
        }
        if settings.iter().all(|(key, _)| key.text != "type") {
            let message = format!("`{property}` has no type");
            let help = "add a type such as `type: Linear10PercentEvery1Minute`";
            self.draft.template.problem(code::TEMPLATE_DEPLOYMENT, &own_key.span, &message, help);
        }
        if self.request.engine == Engine::CodeDeploy {
            self.draft.delegate(&key.text, (&own_key.span, &property));
        }
        if settings.iter().all(|(key, _)| key.text != "codeDeployRole") {
            let property = format!("{property}.codeDeployRole");
            let at = (&own_key.span, property.as_str());
            self.draft.service_role(&key.text, at, None, PLUGIN);
        }
        for (setting, node) in settings {
            let span = setting.span.start..node.span.end.max(setting.span.end);
            let property = format!("{property}.{}", setting.text);
            self.setting(&key.text, &setting.text, (&span, &property), node, is_own(&setting.text));
        }
    }

    /// Whether the stage is one of those that the settings count for.
    fn is_enabled(&self) -> bool {
        let stages = self.service.root.at(&["custom", "deploymentSettings", "stages"]);
        let stages = stages.and_then(Node::list).unwrap_or_default();
        stages.is_empty()
            || stages.iter().any(|stage| stage.text() == Some(self.service.stage.as_str()))
    }

    fn setting(
        &mut self,
        id: &str,
        name: &str,
        at: (&Range<usize>, &str),
        node: &Node,
        is_own: bool,
    ) {
        let (span, property) = at;
        match name {
            "alias" => {}
            "type" => {
                let value = self.draft.template.resolve(node);
                if let Some(text) = self.draft.single(&value, property) {
                    self.draft.strategy(id, at, &text);
                }
            }
            "preTrafficHook" => self.hook(id, "pre_traffic", at, node),
            "postTrafficHook" => self.hook(id, "post_traffic", at, node),
            "alarms" => self.alarms(id, at, node),
            "triggers" if !self.draft.is_delegated(id) => {
                self.draft.ledger.left_out(span, property, NO_TRIGGERS);
            }
            "triggerConfigurations" => self.draft.triggers(id, at, node),
            "codeDeployRole" if is_own || self.draft.is_delegated(id) => {
                self.draft.service_role(id, at, Some(node), PLUGIN);
            }
            // What is global is told once, with the others of `custom`.
            _ if !is_own => {}
            _ => self.draft.unknown_property(span, property),
        }
    }

    fn hook(&mut self, id: &str, phase: &str, at: (&Range<usize>, &str), node: &Node) {
        let (span, property) = at;
        let value = self.draft.template.resolve(node);
        let Some(text) = self.draft.single(&value, property) else { return };
        let Some(hook) = text.as_known() else {
            let why = "which function it is, is not known";
            self.draft.ledger.left_out(span, property, why);
            return;
        };
        let Some((_, function)) = self.service.functions.iter().find(|(key, _)| key.text == hook)
        else {
            let message = format!("there is no function `{hook}` for a hook");
            let help = "a hook is a function of the same file, by its key";
            self.draft.template.problem(code::TEMPLATE_REFERENCE, span, &message, help);
            return;
        };
        let own = function.get("timeout").or_else(|| self.service.provider(&["timeout"]));
        let timeout = own.and_then(|node| self.draft.template.resolve(node).known()?.parse().ok());
        self.draft.own_hook(id, &hook, timeout, at);
        let mut phases = match self.draft.it(id).get("hooks") {
            Some(Item::Table(phases)) => phases.clone(),
            _ => Vec::new(),
        };
        phases.push((phase.to_owned(), Item::names(&[hook])));
        self.draft.it(id).set("hooks", Item::Table(phases));
        let key = format!("functions.{}.hooks.{phase}", write::key(id));
        self.draft.told_hook(id, at, &key);
    }

    fn alarms(&mut self, id: &str, at: (&Range<usize>, &str), node: &Node) {
        let (span, property) = at;
        let Some(elements) = node.list() else {
            let message = format!("`{property}` takes a list of alarms");
            self.draft.template.problem(code::TEMPLATE_SHAPE, &node.span, &message, "");
            return;
        };
        let mut names: Vec<String> = Vec::new();
        for element in elements {
            names.extend(self.alarm(id, property, element));
        }
        let key = format!("functions.{}.alarms", write::key(id));
        self.draft.ledger.taken(span, property, &key);
        names.dedup();
        if !names.is_empty() {
            self.draft.it(id).set("alarms", Item::names(&names));
        }
    }

    /// One alarm: a logical id, or `name: …`; the name of its table.
    fn alarm(&mut self, id: &str, property: &str, element: &Node) -> Option<String> {
        let declared = element.text().or_else(|| match intrinsic(element) {
            Some(("Ref", argument)) => argument.text(),
            _ => None,
        });
        let named = element.get("name").filter(|_| declared.is_none());
        let (resource, value) = match (declared, named) {
            (Some(declared), _) => {
                let known = self.draft.template.resource(declared);
                if known.is_some_and(|resource| alarm::TYPES.contains(&type_of(resource))) {
                    let value = self.draft.template.reference(declared, &element.span);
                    (Some(declared.to_owned()), value)
                } else {
                    let said = format!("the name of the alarm {declared}");
                    let reason = "`resources` do not have it: a plugin such as \
                                  serverless-plugin-aws-alerts may make it";
                    let hole = self.draft.template.hole(&said, declared, &said, reason);
                    (None, Value::text(Text::unknown(&hole), element.span.clone()))
                }
            }
            (None, Some(named)) => (None, self.draft.template.resolve(named)),
            (None, None) => (None, self.draft.template.resolve(element)),
        };
        let name = self.draft.single(&value, property)?;
        let table = match (&resource, name.as_known()) {
            (Some(resource), _) => resource.clone(),
            (None, Some(known)) => table_name(&known),
            (None, None) => table_name(declared.unwrap_or(&name.unknowns().next()?.variable)),
        };
        let known = self.draft.alarms.entry(table.clone()).or_insert_with(|| AlarmUse {
            table: table.clone(),
            functions: Vec::new(),
            resource,
            name,
            span: element.span.clone(),
            property: property.to_owned(),
        });
        known.functions.push(id.to_owned());
        Some(table)
    }

    /// A setting of `custom`, which is told once.
    pub(super) fn global_setting(&mut self, span: &Range<usize>, property: &str, name: &str) {
        let has = |(_, function): &(Key, Node)| function.get("deploymentSettings").is_some();
        let why = match name {
            _ if !self.service.functions.iter().any(has) => "no function has deploymentSettings",
            // The functions that inherit them have told.
            "type"
            | "alias"
            | "alarms"
            | "preTrafficHook"
            | "postTrafficHook"
            | "triggers"
            | "triggerConfigurations" => return,
            "codeDeployRole" if self.request.engine == Engine::CodeDeploy && self.is_enabled() => {
                return;
            }
            "codeDeployRolePermissionsBoundary" if self.request.engine == Engine::CodeDeploy => {
                "wavegate makes no roles: the one that there is stays as it is"
            }
            "codeDeployRole" | "codeDeployRolePermissionsBoundary" => NO_ROLE,
            "stages" => {
                "it was asked for this stage; a profile can say something else for another one"
            }
            _ => "the manifest has no key for it",
        };
        self.draft.ledger.left_out(span, property, why);
    }

    /// Whether a value refers to a function, by its key.
    pub(super) fn key_of(&self, id: &str) -> Option<&String> {
        self.keys.get(id).or_else(|| self.keys.get(&logical_id(id)))
    }
}

/// Whether a value is a known truth.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value.known()?.as_str() {
        "true" | "Active" => Some(true),
        "false" | "PassThrough" => Some(false),
        _ => None,
    }
}
