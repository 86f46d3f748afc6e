//! One function of a service, with what the provider says under it.

use std::ops::Range;

use super::deployment::truth;
use super::{Importer, is_name};
use crate::code;
use crate::import::code_path;
use crate::import::edges::{Edge, Why};
use crate::import::value::{Data, Text, Value};
use crate::import::write::{self, Item};
use crate::import::yaml::{Key, Node};
use crate::units;

/// What the framework says where nobody else does, which is not what Lambda says.
const MEMORY_MB: &str = "1024";
const TIMEOUT_S: &str = "6";

impl Importer<'_> {
    /// Takes one function.
    pub(super) fn function(&mut self, key: &Key, function: &Node) {
        let id = &key.text;
        if !is_name(id) {
            let message = format!("`{id}` is no name for a function");
            let help = "a key here has 1 to 64 letters, digits, `-` and `_`";
            self.draft.template.problem(code::TEMPLATE_VALUE, &key.span, &message, help);
            return;
        }
        self.draft.app.functions.push(write::Function { key: id.clone(), ..Default::default() });
        self.draft.template.take_references();
        let Some(entries) = function.map() else {
            let message = format!("function `{id}` is not a map");
            self.draft.template.problem(code::TEMPLATE_SHAPE, &function.span, &message, "");
            return;
        };
        for (name, node) in entries {
            let span = name.span.start..node.span.end.max(name.span.end);
            let property = format!("{id}.{}", name.text);
            self.property(id, &name.text, (&span, &property), node);
            self.refer(id, &property);
        }
        self.inherit(id, function);
        self.refer(id, &format!("{id}.environment"));
        self.role(id, key, function);
        self.code(id, key, function);
        self.name(id, key, function);
        self.refer(id, id);
        self.deployment(key, function);
    }

    /// The functions that were referred to since the last time.
    fn refer(&mut self, id: &str, property: &str) {
        for reference in self.draft.template.take_references() {
            if let Some(to) = self.key_of(&reference.to).filter(|to| *to != id) {
                let edge = Edge {
                    from: id.to_owned(),
                    to: to.clone(),
                    why: Why::Reference,
                    span: reference.span,
                    property: property.to_owned(),
                };
                self.draft.edges.push(edge);
            }
        }
    }

    fn value(&self, node: &Node, span: &Range<usize>) -> Value {
        Value { span: span.clone(), ..self.draft.template.resolve(node) }
    }

    fn property(&mut self, id: &str, name: &str, at: (&Range<usize>, &str), node: &Node) {
        let (span, property) = at;
        match name {
            // Taken with what the provider says.
            "environment" | "runtime" | "memorySize" | "timeout" | "vpc" | "layers"
            | "architecture" | "tracing" | "role" | "name" | "package" | "deploymentSettings" => {}
            "handler" | "description" => {
                let value = self.value(node, span);
                let key = if name == "handler" { "handler" } else { "description" };
                if let Some(text) = self.draft.single(&value, property) {
                    self.draft.put(id, at, key, Item::Text(text));
                }
            }
            "image" => self.image(id, at, node),
            "ephemeralStorageSize" => {
                let value = self.value(node, span);
                if let Some(text) = self.draft.quantity(&value, property, "MB") {
                    self.draft.put(id, at, "ephemeral_storage", Item::Text(text));
                }
            }
            "onError" => {
                let value = self.value(node, span);
                let Some(text) = self.draft.single(&value, property) else { return };
                if text.as_known().is_some_and(|known| !units::is_dead_letter_arn(&known)) {
                    let message = "this is not the ARN of a queue or topic";
                    self.draft.template.problem(code::TEMPLATE_VALUE, span, message, "");
                }
                self.draft.put(id, at, "dead_letter", Item::Text(text));
            }
            "dependsOn" => self.depends_on(id, at, node),
            "events" => self.events(id, node),
            _ => {
                let why = left_out(name).unwrap_or("the manifest has no key for it");
                self.draft.ledger.left_out(span, property, why);
            }
        }
    }

    fn events(&mut self, id: &str, node: &Node) {
        let why =
            "wavegate makes no triggers: leave it with the framework, and let it call the alias";
        for (at, event) in node.list().unwrap_or_default().iter().enumerate() {
            let kind = event.map().and_then(<[_]>::first).map(|(key, _)| key.text.as_str());
            let property =
                format!("{id}.events.{at} ({})", kind.or(event.text()).unwrap_or_default());
            self.draft.ledger.left_out(&event.span, &property, why);
        }
    }

    fn depends_on(&mut self, id: &str, (span, property): (&Range<usize>, &str), node: &Node) {
        let all: Vec<&Node> = node.list().map_or_else(|| vec![node], |list| list.iter().collect());
        for element in all {
            let Some(name) = element.text() else { continue };
            let Some(to) = self.key_of(name).cloned() else {
                let why = format!("`{name}` is no function of the manifest");
                self.draft.ledger.left_out(span, property, &why);
                continue;
            };
            self.draft.edges.push(Edge {
                from: id.to_owned(),
                to,
                why: Why::Said,
                span: element.span.clone(),
                property: property.to_owned(),
            });
        }
    }

    fn image(&mut self, id: &str, at: (&Range<usize>, &str), node: &Node) {
        let (span, property) = at;
        let value = self.value(node, span);
        match &value.data {
            Data::Text(text) if text.as_known().is_none_or(|known| known.contains(['/', ':'])) => {
                self.draft.put(id, at, "image", Item::Text(text.clone()));
            }
            Data::Map(entries) => {
                for (name, value) in entries {
                    let property = format!("{property}.{name}");
                    match (name.as_str(), value.as_text()) {
                        ("uri", Some(text)) => {
                            self.draft.put(
                                id,
                                (&value.span, &property),
                                "image",
                                Item::Text(text.clone()),
                            );
                        }
                        ("name", _) => self.built(id, (&value.span, &property)),
                        _ => {
                            let why = "the manifest has no key for it: say it in the image itself";
                            self.draft.ledger.left_out(&value.span, &property, why);
                        }
                    }
                }
            }
            // The name of an image that the framework builds.
            _ => self.built(id, at),
        }
    }

    fn built(&mut self, id: &str, at: (&Range<usize>, &str)) {
        let said = format!("the image of {id}");
        let reason = "the framework builds it and pushes it to a registry";
        let hole = self.draft.template.hole(&said, &format!("{id}Image"), &said, reason);
        self.draft.put(id, at, "image", Item::Text(Text::unknown(&hole)));
    }

    /// What a function says, else what the provider says.
    fn said<'n>(
        &'n self,
        function: &'n Node,
        id: &str,
        name: &str,
    ) -> Option<(Range<usize>, String, &'n Node)> {
        let own = function.entry(name).map(|(key, node)| (key, node, format!("{id}.{name}")));
        let provider = self.service.provider(&[]).and_then(|provider| provider.entry(name));
        let inherited = provider.map(|(key, node)| (key, node, format!("{id}.{name}")));
        let (key, node, property) = own.or(inherited).filter(|(_, node, _)| !node.is_null())?;
        Some((key.span.start..node.span.end.max(key.span.end), property, node))
    }

    fn inherit(&mut self, id: &str, function: &Node) {
        let is_image = self.draft.has(id, "image");
        for (name, key) in [("runtime", "runtime"), ("architecture", "architecture")] {
            let found = self
                .said(function, id, name)
                .map(|(span, property, node)| (span.clone(), property, self.value(node, &span)));
            match found {
                Some((span, property, _)) if is_image && key == "runtime" => {
                    self.draft.ledger.left_out(&span, &property, "an image brings its own");
                }
                Some((span, property, value)) => {
                    if let Some(text) = self.draft.single(&value, &property) {
                        self.draft.put(id, (&span, &property), key, Item::Text(text));
                    }
                }
                None => {}
            }
        }
        self.quantity(id, function, ("memorySize", "memory", "MB"), MEMORY_MB);
        self.quantity(id, function, ("timeout", "timeout", "s"), TIMEOUT_S);
        self.environment(id, function);
        let layers = self
            .said(function, id, "layers")
            .map(|(span, property, node)| (property, self.value(node, &span)));
        match layers {
            Some((property, value)) if is_image => {
                self.draft.ledger.left_out(&value.span, &property, "an image brings its own");
            }
            Some((property, value)) => self.draft.layers(id, &property, &value),
            None => {}
        }
        let vpc = self
            .said(function, id, "vpc")
            .map(|(span, property, node)| (property, self.value(node, &span)));
        if let Some((property, value)) = vpc {
            // `~` and false switch off what the provider says.
            if truth(&value) != Some(false) {
                self.draft.vpc(id, &property, &value);
            }
        }
        self.tracing(id, function);
    }

    fn quantity(
        &mut self,
        id: &str,
        function: &Node,
        (name, key, unit): (&str, &'static str, &str),
        default: &str,
    ) {
        let found = self
            .said(function, id, name)
            .map(|(span, property, node)| (property, self.value(node, &span)));
        if let Some((property, value)) = found {
            if let Some(text) = self.draft.quantity(&value, &property, unit) {
                self.draft.put(id, (&value.span, &property), key, Item::Text(text));
            }
            return;
        }
        let item = Item::text(&format!("{default}{unit}"));
        self.draft.it(id).set(key, item);
        let full = format!("functions.{}.{key}", write::key(id));
        let why = "the framework's default, which is not Lambda's";
        self.draft.ledger.changed(&function.span, &format!("{id}.{name}"), &full, why);
    }

    fn environment(&mut self, id: &str, function: &Node) {
        let own = function.get("environment");
        let provider = self.service.provider(&["environment"]);
        let resolved = |node: Option<&Node>| node.map(|node| self.draft.template.resolve(node));
        let (own, provider) = (resolved(own), resolved(provider));
        let of = |value: &Option<Value>| {
            value.as_ref().and_then(Value::map).map(<[_]>::to_vec).unwrap_or_default()
        };
        for value in [&own, &provider].into_iter().flatten() {
            if value.map().is_none() && !value.is_nothing() {
                // Tells that it is no map, or not known.
                let _ = self.draft.entries(value, &format!("{id}.environment"));
            }
        }
        let mut all = of(&own);
        for (name, value) in of(&provider) {
            if all.iter().all(|(known, _)| *known != name) {
                all.push((name, value));
            }
        }
        if !all.is_empty() {
            let span = all[0].1.span.clone();
            let value = Value { data: Data::Map(all), span };
            self.draft.variables(id, &format!("{id}.environment"), &value);
        }
    }

    fn tracing(&mut self, id: &str, function: &Node) {
        let own = function.entry("tracing");
        let provider = self.service.provider(&["tracing"]).and_then(|node| node.entry("lambda"));
        let Some((key, node)) = own.or(provider) else { return };
        let span = key.span.start..node.span.end;
        let value = self.value(node, &span);
        let property = format!("{id}.tracing");
        let word = match (truth(&value), value.as_text()) {
            (Some(true), _) => Item::text("active"),
            (Some(false), _) => Item::text("passthrough"),
            (None, Some(text)) if text.unknowns().next().is_some() => Item::Text(text.clone()),
            _ => {
                let message = format!("`{property}` takes Active, PassThrough, true or false");
                self.draft.template.problem(code::TEMPLATE_VALUE, &span, &message, "");
                return;
            }
        };
        self.draft.put(id, (&span, &property), "tracing", word);
    }

    fn role(&mut self, id: &str, key: &Key, function: &Node) {
        let property = format!("{id}.role");
        let said = self.said(function, id, "role").map(|(span, _, node)| (span, node));
        let iam = self.service.provider(&["iam"]).and_then(|node| node.entry("role"));
        // A map without a function of CloudFormation's says what the framework's own role may do.
        let iam = iam.filter(|(_, node)| {
            node.text().is_some() || crate::import::cfn::intrinsic(node).is_some()
        });
        let said = said.or_else(|| iam.map(|(key, node)| (key.span.start..node.span.end, node)));
        let Some((span, node)) = said else {
            // One role for all functions, unless a plugin makes others.
            let service = &self.service.name;
            let said = format!("the role that the framework made for {service}");
            let name = format!("{service}RoleArn");
            let reason = "the framework makes it when it deploys";
            let hole = self.draft.template.hole(&said, &name, &said, reason);
            self.draft.role_on_aws(id, &property, &key.span, Text::unknown(&hole));
            return;
        };
        // The logical id of a role in `resources`.
        let by_id = node.text().filter(|text| self.draft.template.resource(text).is_some());
        let value = match by_id {
            Some(resource) => {
                Value::text(self.draft.template.get_att(resource, "Arn", &span), span)
            }
            None => self.value(node, &span),
        };
        self.draft.role(id, &property, &value);
    }

    fn code(&mut self, id: &str, key: &Key, function: &Node) {
        let property = format!("{id}.package");
        if let Some((_, package)) = function.entry("package") {
            for (key, _) in package.map().unwrap_or_default() {
                if key.text != "artifact" {
                    let why = "all of `code` is packaged: say in .lambdaignore what is not wanted";
                    self.draft.ledger.left_out(&key.span, &format!("{property}.{}", key.text), why);
                }
            }
        }
        if self.draft.has(id, "image") {
            return;
        }
        for (name, found) in [("runtime", "runtime"), ("handler", "handler")] {
            if !self.draft.has(id, found) {
                let message = format!("function `{id}` has no {name}");
                let help = "Lambda needs it for code that is no image";
                self.draft.template.problem(code::TEMPLATE_VALUE, &key.span, &message, help);
            }
        }
        let own = function.get("package").and_then(|node| node.get("artifact"));
        let artifact = own.or_else(|| self.service.root.at(&["package", "artifact"]));
        let full = format!("functions.{}.code", write::key(id));
        let Some(node) = artifact else {
            let path = code_path(&self.request.code_prefix, ".");
            self.draft.it(id).set("code", Item::text(&path));
            let why = "the framework packages the directory of the service; so does this, but for what \
                       .lambdaignore leaves out";
            self.draft.ledger.changed(&key.span, &property, &full, why);
            return;
        };
        let value = self.draft.template.resolve(node);
        let Some(text) = self.draft.single(&value, &format!("{property}.artifact")) else { return };
        let item = match text.as_known() {
            Some(path) => Item::text(&code_path(&self.request.code_prefix, &path)),
            None => Item::Text(text),
        };
        self.draft.put(id, (&node.span, &format!("{property}.artifact")), "code", item);
    }

    fn name(&mut self, id: &str, key: &Key, function: &Node) {
        let property = format!("{id}.name");
        if let Some((key, node)) = function.entry("name") {
            let span = key.span.start..node.span.end;
            let value = self.value(node, &span);
            let Some(text) = self.draft.single(&value, &property) else { return };
            if text.as_known().is_some_and(|known| !is_name(&known)) {
                let message = "this is no name for a function of Lambda";
                self.draft.template.problem(code::TEMPLATE_VALUE, &span, message, "");
            }
            self.draft.put(id, (&span, &property), "name", Item::Text(text));
            return;
        }
        let Some(name) = self.service.names.get(id) else { return };
        if !is_name(name) {
            let message = format!("`{name}` is no name for a function of Lambda");
            let help =
                "it is made of the service, the stage and the key: give the function a `name`";
            self.draft.template.problem(code::TEMPLATE_VALUE, &key.span, &message, help);
        }
        let name = name.clone();
        self.draft.it(id).set("name", Item::text(&name));
        let full = format!("functions.{}.name", write::key(id));
        let why = "the framework calls it so: service, stage and key";
        self.draft.ledger.changed(&key.span, &property, &full, why);
    }
}

/// Why a property that the framework knows is not in the manifest.
fn left_out(name: &str) -> Option<&'static str> {
    Some(match name {
        "reservedConcurrency" | "provisionedConcurrency" => {
            "a release does not change concurrency: what is set on the function or the alias stays"
        }
        "tags" => "a release sets no tags: what is on the function stays",
        "iamRoleStatements" | "iamRoleStatementsName" | "iamRoleStatementsInherit" => {
            "wavegate makes no roles: the framework's stays, and `role` names it"
        }
        "destinations" | "maximumRetryAttempts" | "maximumEventAge" => {
            "settings of asynchronous invocations stay as they are on the alias"
        }
        "url" => "wavegate makes no URLs: leave it with the framework, on the alias",
        "kmsKeyArn" | "awsKmsKeyArn" => "wavegate sets no keys: what is on the function stays",
        "fileSystemConfig" => "wavegate mounts no file systems: what is on the function stays",
        "disableLogs" | "logRetentionInDays" | "logs" | "logDataProtectionPolicy" => {
            "wavegate sets no log groups: what is on the function stays"
        }
        "snapStart" => "wavegate does not set it: what is on the function stays",
        "versionFunction" => "a version is published when the code or the configuration differs",
        "condition" => "conditions of CloudFormation are not asked again: the function is taken",
        "warmup" | "alarms" | "dashboard" => "it is for a plugin of the framework",
        _ => return None,
    })
}
