//! One function of a template, property by property.

use std::ops::Range;
use std::rc::Rc;

use wavegate_core::name::FunctionName;

use super::{Alias, Importer};
use crate::code;
use crate::function::refused_variable;
use crate::import::code_path;
use crate::import::edges::{Edge, Why};
use crate::import::value::{Data, Text, Unknown, Value};
use crate::import::write::{self, Item};
use crate::import::yaml::Node;
use crate::units;

/// Runtimes whose code in the template is a file of this name.
const INLINE: [(&str, &str); 2] = [("python", "index.py"), ("nodejs", "index.js")];

impl Importer<'_> {
    /// Takes one function.
    pub(super) fn function(&mut self, id: &str, resource: &Node) {
        self.app.functions.push(write::Function { key: id.to_owned(), ..Default::default() });
        let empty = Vec::new();
        let properties = match resource.get("Properties") {
            Some(node) => node.map().unwrap_or_else(|| {
                let message = format!("`Properties` of `{id}` is not a map");
                self.template.problem(code::TEMPLATE_SHAPE, &node.span, &message, "");
                &[]
            }),
            None => &empty,
        };
        self.template.take_references();
        for (key, node) in properties {
            if key.text == "DeploymentPreference" {
                continue;
            }
            let property = format!("{id}.{}", key.text);
            let value = self.template.resolve(node);
            self.refer(id, &property);
            if value.is_nothing() {
                self.ledger.left_out(&key.span, &property, "it comes to nothing");
            } else {
                let value =
                    Value { span: key.span.start..node.span.end.max(key.span.end), ..value };
                self.property(id, &key.text, &property, &value);
            }
        }
        for (key, node) in resource.map().unwrap_or_default() {
            self.attribute(id, &key.text, &key.span, node);
        }
        let span = resource_span(resource);
        self.alias(id, resource, &span);
        self.deployment(id, resource, &span);
        self.whole(id, resource, &span);
    }

    /// The function under way.
    pub(super) fn it(&mut self, id: &str) -> &mut write::Function {
        let at = self.app.functions.iter().position(|function| function.key == id);
        let at = at.unwrap_or_default();
        &mut self.app.functions[at]
    }

    fn has(&self, id: &str, key: &str) -> bool {
        let mut functions = self.app.functions.iter();
        functions.any(|function| function.key == id && function.get(key).is_some())
    }

    /// The functions that were referred to since the last time.
    fn refer(&mut self, id: &str, property: &str) {
        for reference in self.template.take_references() {
            if self.keys.contains_key(&reference.to) && reference.to != id {
                self.edges.push(Edge {
                    from: id.to_owned(),
                    to: reference.to,
                    why: Why::Reference,
                    span: reference.span,
                    property: property.to_owned(),
                });
            }
        }
    }

    /// Attributes of the resource beside its properties.
    fn attribute(&mut self, id: &str, name: &str, span: &Range<usize>, node: &Node) {
        let property = format!("{id}.{name}");
        match name {
            "Type" | "Properties" | "Condition" => {}
            "DependsOn" => {
                let ids: Vec<(&str, &Range<usize>)> = match (node.text(), node.list()) {
                    (Some(id), _) => vec![(id, &node.span)],
                    (None, Some(list)) => {
                        list.iter().filter_map(|node| Some((node.text()?, &node.span))).collect()
                    }
                    (None, None) => Vec::new(),
                };
                for (to, span) in ids {
                    if self.keys.contains_key(to) {
                        self.edges.push(Edge {
                            from: id.to_owned(),
                            to: to.to_owned(),
                            why: Why::Said,
                            span: span.clone(),
                            property: property.clone(),
                        });
                    } else if self.template.resource(to).is_some() {
                        let why = format!("`{to}` is no function of the manifest");
                        self.ledger.left_out(span, &property, &why);
                    } else {
                        let message = format!("the template has no `{to}`");
                        self.template.problem(code::TEMPLATE_REFERENCE, span, &message, "");
                    }
                }
            }
            "Metadata" => {
                let why = "it tells `sam build` how to build: build first, and name what was built";
                for (key, _) in node.map().unwrap_or_default() {
                    self.ledger.left_out(&key.span, &format!("{property}.{}", key.text), why);
                }
            }
            _ => self.ledger.left_out(
                span,
                &property,
                "it is about the stack's resource, which wavegate has not",
            ),
        }
    }

    /// Sets a key, and tells whether all of it is known.
    pub(super) fn put(
        &mut self,
        id: &str,
        at: (&Range<usize>, &str),
        key: &'static str,
        item: Item,
    ) {
        let full = format!("functions.{}.{key}", write::key(id));
        let unknowns = unknowns(&item);
        self.it(id).set(key, item);
        self.told(at, &full, &unknowns);
    }

    pub(super) fn told(
        &mut self,
        (span, property): (&Range<usize>, &str),
        key: &str,
        unknowns: &[Rc<Unknown>],
    ) {
        if unknowns.is_empty() {
            self.ledger.taken(span, property, key);
        } else {
            self.ledger.unresolved(span, property, key, unknowns);
        }
    }

    /// A single value; a problem if it is none.
    fn single(&self, value: &Value, property: &str) -> Option<Text> {
        let text = value.as_text().cloned();
        if text.is_none() {
            let message =
                format!("`{property}` takes a single value, and this is {}", value.kind());
            self.template.problem(code::TEMPLATE_SHAPE, &value.span, &message, "");
        }
        text
    }

    /// A whole number with a unit; a problem if it is none.
    fn quantity(&self, value: &Value, property: &str, unit: &str) -> Option<Text> {
        let text = self.single(value, property)?;
        match text.as_known() {
            Some(known) if known.parse::<u32>().is_err() => {
                let message = format!("`{property}` takes a whole number, and this is `{known}`");
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, "");
                None
            }
            _ => Some(text.then(unit)),
        }
    }

    /// A list of single values; one alone counts as a list.
    fn texts(&self, value: &Value, property: &str) -> Vec<Text> {
        match &value.data {
            Data::List(list) => {
                list.iter().filter_map(|element| self.single(element, property)).collect()
            }
            _ => self.single(value, property).into_iter().collect(),
        }
    }

    /// The entries of a map; a problem if it is none. A hole in its place is left out with its reason.
    fn entries<'v>(&mut self, value: &'v Value, property: &str) -> &'v [(String, Value)] {
        match &value.data {
            Data::Map(entries) => entries,
            Data::Text(text) if text.unknowns().next().is_some() => {
                let said = text
                    .unknowns()
                    .next()
                    .map(|unknown| format!("{}: {}", unknown.said, unknown.reason));
                let why = format!("it is not known ({})", said.unwrap_or_default());
                self.ledger.left_out(&value.span, property, &why);
                &[]
            }
            _ => {
                let message = format!("`{property}` takes a map, and this is {}", value.kind());
                self.template.problem(code::TEMPLATE_SHAPE, &value.span, &message, "");
                &[]
            }
        }
    }

    fn property(&mut self, id: &str, name: &str, property: &str, value: &Value) {
        let at = (&value.span, property);
        match name {
            "FunctionName" => self.function_name(id, property, value),
            "Handler" | "Runtime" | "Description" => {
                let key = match name {
                    "Handler" => "handler",
                    "Runtime" => "runtime",
                    _ => "description",
                };
                if let Some(text) = self.single(value, property) {
                    self.put(id, at, key, Item::Text(text));
                }
            }
            "CodeUri" | "Code" | "ImageUri" | "InlineCode" => self.code(id, name, property, value),
            "PackageType" => {
                if let Some(text) = self.single(value, property) {
                    let key =
                        if text.as_known().as_deref() == Some("Image") { "image" } else { "code" };
                    self.ledger.taken(
                        &value.span,
                        property,
                        &format!("functions.{}.{key}", write::key(id)),
                    );
                }
            }
            "MemorySize" => {
                if let Some(text) = self.quantity(value, property, "MB") {
                    self.put(id, at, "memory", Item::Text(text));
                }
            }
            "Timeout" => {
                if let Some(text) = self.quantity(value, property, "s") {
                    self.put(id, at, "timeout", Item::Text(text));
                }
            }
            "Environment" => self.environment(id, property, value),
            "Role" => self.role(id, property, value),
            "Layers" => self.layers(id, property, value),
            "Architectures" => self.architecture(id, property, value),
            "VpcConfig" => self.vpc(id, property, value),
            "Tracing" | "TracingConfig" => self.tracing(id, property, value),
            "EphemeralStorage" => {
                for (key, value) in self.entries(value, property).to_vec() {
                    let property = format!("{property}.{key}");
                    if key != "Size" {
                        self.unknown_property(&value.span, &property);
                    } else if let Some(text) = self.quantity(&value, &property, "MB") {
                        self.put(
                            id,
                            (&value.span, &property),
                            "ephemeral_storage",
                            Item::Text(text),
                        );
                    }
                }
            }
            "DeadLetterQueue" | "DeadLetterConfig" => self.dead_letter(id, property, value),
            "AutoPublishAlias" => {}
            "Events" => {
                for (key, event) in self.entries(value, property).to_vec() {
                    let kind = event.get("Type").and_then(Value::known).unwrap_or_default();
                    let why =
                        "wavegate makes no triggers: leave it with SAM, and let it call the alias";
                    self.ledger.left_out(&event.span, &format!("{property}.{key} ({kind})"), why);
                }
            }
            _ => match left_out(name) {
                Some(why) => self.ledger.left_out(&value.span, property, why),
                None => self.unknown_property(&value.span, property),
            },
        }
    }

    fn unknown_property(&mut self, span: &Range<usize>, property: &str) {
        self.ledger.left_out(span, property, "the manifest has no key for it");
    }

    fn function_name(&mut self, id: &str, property: &str, value: &Value) {
        let Some(text) = self.single(value, property) else { return };
        match text.as_known() {
            Some(known) => {
                if let Err(bad) = FunctionName::new(known.as_str()) {
                    self.template.problem(code::TEMPLATE_VALUE, &value.span, &bad.to_string(), "");
                } else if known == id {
                    let key = format!("functions.{}", write::key(id));
                    self.ledger.taken(&value.span, property, &key);
                } else {
                    self.put(id, (&value.span, property), "name", Item::Text(text));
                }
            }
            None => self.put(id, (&value.span, property), "name", Item::Text(text)),
        }
    }

    fn code(&mut self, id: &str, name: &str, property: &str, value: &Value) {
        let at = (&value.span, property);
        match (&value.data, name) {
            (Data::Text(text), "ImageUri") => self.put(id, at, "image", Item::Text(text.clone())),
            (Data::Text(text), "InlineCode") => self.inline(id, property, &value.span, text),
            (Data::Text(text), _) => match text.as_known() {
                Some(url) if url.starts_with("s3://") => {
                    self.put(id, at, "code", Item::Text(text.clone()));
                }
                Some(path) if path.starts_with("https://") => {
                    let text = s3_of_url(&path).map_or_else(|| text.clone(), Text::known);
                    self.put(id, at, "code", Item::Text(text));
                }
                Some(path) => {
                    let path = code_path(&self.request.code_prefix, &path);
                    let full = format!("functions.{}.code", write::key(id));
                    self.it(id).set("code", Item::text(&path));
                    let why = "it is packaged as it is: what `sam build` would add or compile has to be there";
                    self.ledger.changed(&value.span, property, &full, why);
                }
                None => self.put(id, at, "code", Item::Text(text.clone())),
            },
            (Data::Map(entries), _) => {
                let part = |names: &[&str]| {
                    let found = entries.iter().find(|(key, _)| names.contains(&key.as_str()));
                    found.and_then(|(_, value)| value.as_text().cloned())
                };
                if let (Some(bucket), Some(object)) =
                    (part(&["Bucket", "S3Bucket"]), part(&["Key", "S3Key"]))
                {
                    let mut url = Text::known("s3://");
                    url.push(&bucket);
                    let mut url = url.then("/");
                    url.push(&object);
                    self.put(id, at, "code", Item::Text(url));
                }
                for (key, value) in entries.clone() {
                    let property = format!("{property}.{key}");
                    match (key.as_str(), value.as_text()) {
                        ("Bucket" | "S3Bucket" | "Key" | "S3Key", Some(_)) => {}
                        ("ImageUri", Some(text)) => {
                            self.put(
                                id,
                                (&value.span, &property),
                                "image",
                                Item::Text(text.clone()),
                            );
                        }
                        ("ZipFile", Some(text)) => self.inline(id, &property, &value.span, text),
                        ("Version" | "S3ObjectVersion", _) => {
                            let why = "the newest version of the object is taken";
                            self.ledger.left_out(&value.span, &property, why);
                        }
                        _ => self.unknown_property(&value.span, &property),
                    }
                }
            }
            _ => {
                self.single(value, property);
            }
        }
    }

    /// Code that stands in the template becomes a file.
    fn inline(&mut self, id: &str, property: &str, span: &Range<usize>, text: &Text) {
        let runtime = self.runtime_of(id);
        let file =
            INLINE.iter().find(|(start, _)| runtime.starts_with(start)).map(|(_, file)| *file);
        match (text.as_known(), file) {
            (Some(code), Some(file)) => {
                let directory = format!("functions/{id}");
                self.files.push((format!("{directory}/{file}"), code));
                self.it(id).set("code", Item::text(&directory));
                let why = format!("a manifest holds no code: it is written to {directory}/{file}");
                let key = format!("functions.{}.code", write::key(id));
                self.ledger.changed(span, property, &key, &why);
            }
            (Some(_), None) => {
                let message = format!(
                    "code in the template needs a Python or Node.js runtime, not `{runtime}`"
                );
                self.template.problem(code::TEMPLATE_VALUE, span, &message, "");
            }
            (None, _) => {
                let hole = text.unknowns().next().map(|unknown| unknown.said.clone());
                let message = format!("the code is not known: {}", hole.unwrap_or_default());
                let help = "give the value with --parameter, or put the code into a file";
                self.template.problem(code::TEMPLATE_VALUE, span, &message, help);
            }
        }
    }

    /// The runtime, which may stand behind the code.
    fn runtime_of(&self, id: &str) -> String {
        let node = self.template.resource(id).and_then(|node| node.at(&["Properties", "Runtime"]));
        node.and_then(|node| self.template.resolve(node).known()).unwrap_or_default()
    }

    fn environment(&mut self, id: &str, property: &str, value: &Value) {
        for (section, variables) in self.entries(value, property).to_vec() {
            let property = format!("{property}.{section}");
            if section != "Variables" {
                self.unknown_property(&variables.span, &property);
                continue;
            }
            let mut table = Vec::new();
            for (name, value) in self.entries(&variables, &property).to_vec() {
                let property = format!("{property}.{name}");
                if let Some(why) = refused_variable(&name) {
                    self.ledger.left_out(
                        &value.span,
                        &property,
                        &format!("Lambda refuses it: {why}"),
                    );
                } else if let Some(text) = self.single(&value, &property) {
                    let key =
                        format!("functions.{}.environment.{}", write::key(id), write::key(&name));
                    let unknowns: Vec<_> = text.unknowns().cloned().collect();
                    self.told((&value.span, &property), &key, &unknowns);
                    table.push((name, Item::Text(text)));
                }
            }
            if !table.is_empty() {
                self.it(id).set("environment", Item::Table(table));
            }
        }
    }

    fn role(&mut self, id: &str, property: &str, value: &Value) {
        let Some(text) = self.single(value, property) else { return };
        match text.as_known() {
            Some(known) if units::is_role_arn(&known) => {
                self.put(id, (&value.span, property), "role", Item::Text(text));
            }
            Some(known) => {
                let message = format!("`{known}` is not a role's ARN");
                let help = "write it like \"arn:aws:iam::123456789012:role/NAME\"";
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, help);
            }
            None => self.role_on_aws(id, property, &value.span, text),
        }
    }

    /// A role that the template does not tell: only AWS needs it.
    fn role_on_aws(&mut self, id: &str, property: &str, span: &Range<usize>, role: Text) {
        let unknowns: Vec<_> = role.unknowns().cloned().collect();
        let key = format!("{}functions.{}.role", write::AWS_PROFILE, write::key(id));
        self.ledger.unresolved(span, property, &key, &unknowns);
        self.it(id).role_on_aws = Some(role);
    }

    fn layers(&mut self, id: &str, property: &str, value: &Value) {
        let layers = self.texts(value, property);
        for known in layers.iter().filter_map(Text::as_known) {
            if !units::is_layer_arn(&known) {
                let message = format!("`{known}` is not the ARN of a layer version");
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, "");
            }
        }
        self.put(id, (&value.span, property), "layers", Item::List(layers));
    }

    fn architecture(&mut self, id: &str, property: &str, value: &Value) {
        let mut all = self.texts(value, property);
        let Some(last) = all.pop() else { return };
        if all.is_empty() {
            self.put(id, (&value.span, property), "architecture", Item::Text(last));
            return;
        }
        // SAM puts the lists of Globals and of the function behind each other, and Lambda takes one.
        let why = "Lambda takes one architecture: the last one, which is the function's own";
        let key = format!("functions.{}.architecture", write::key(id));
        self.it(id).set("architecture", Item::Text(last));
        self.ledger.changed(&value.span, property, &key, why);
    }

    fn vpc(&mut self, id: &str, property: &str, value: &Value) {
        let mut table = Vec::new();
        for (name, value) in self.entries(value, property).to_vec() {
            let property = format!("{property}.{name}");
            let key = match name.as_str() {
                "SubnetIds" => "subnets",
                "SecurityGroupIds" => "security_groups",
                _ => {
                    self.unknown_property(&value.span, &property);
                    continue;
                }
            };
            let texts = self.texts(&value, &property);
            let unknowns: Vec<_> = texts.iter().flat_map(Text::unknowns).cloned().collect();
            let full = format!("functions.{}.vpc.{key}", write::key(id));
            self.told((&value.span, &property), &full, &unknowns);
            if !texts.is_empty() {
                table.push((key.to_owned(), Item::List(texts)));
            }
        }
        match table.len() {
            0 => {}
            2 => self.it(id).set("vpc", Item::Table(table)),
            _ => {
                let message = format!(
                    "`{property}` has subnets or security groups, and Lambda takes both or none"
                );
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, "");
            }
        }
    }

    fn tracing(&mut self, id: &str, property: &str, value: &Value) {
        let mode = match value.map() {
            Some(_) => value.get("Mode").cloned(),
            None => Some(value.clone()),
        };
        let Some(text) = mode.and_then(|mode| self.single(&mode, property)) else { return };
        let at = (&value.span, property);
        match text.as_known().as_deref() {
            Some("Active") => self.put(id, at, "tracing", Item::text("active")),
            Some("PassThrough") => self.put(id, at, "tracing", Item::text("passthrough")),
            Some("Disabled") => {
                let key = format!("functions.{}.tracing", write::key(id));
                let why = "Lambda knows no more than to pass on what its caller traces, which is the default";
                self.ledger.changed(&value.span, property, &key, why);
            }
            Some(other) => {
                let message = format!("`{other}` is not a mode of tracing");
                self.template.problem(
                    code::TEMPLATE_VALUE,
                    &value.span,
                    &message,
                    "Active or PassThrough",
                );
            }
            None => self.put(id, at, "tracing", Item::Text(text)),
        }
    }

    fn dead_letter(&mut self, id: &str, property: &str, value: &Value) {
        for (name, value) in self.entries(value, property).to_vec() {
            let property = format!("{property}.{name}");
            let full = format!("functions.{}.dead_letter", write::key(id));
            match name.as_str() {
                // The ARN says it.
                "Type" => self.ledger.taken(&value.span, &property, &full),
                "TargetArn" => {
                    let Some(text) = self.single(&value, &property) else { continue };
                    if text.as_known().is_some_and(|known| !units::is_dead_letter_arn(&known)) {
                        let message = "this is not the ARN of a queue or topic";
                        self.template.problem(code::TEMPLATE_VALUE, &value.span, message, "");
                    }
                    self.put(id, (&value.span, &property), "dead_letter", Item::Text(text));
                }
                _ => self.unknown_property(&value.span, &property),
            }
        }
    }

    fn alias(&mut self, id: &str, resource: &Node, span: &Range<usize>) {
        let entry = resource.get("Properties").and_then(|node| node.entry("AutoPublishAlias"));
        let value =
            entry.map(|(key, node)| (key.span.start..node.span.end, self.template.resolve(node)));
        let value = value.filter(|(_, value)| !value.is_nothing());
        let alias = match value {
            Some((span, value)) => {
                let name = self.single(&value, &format!("{id}.AutoPublishAlias"));
                Alias { function: id.to_owned(), name, span }
            }
            None => Alias { function: id.to_owned(), name: None, span: span.clone() },
        };
        self.aliases.push(alias);
    }

    /// What only the whole function shows.
    fn whole(&mut self, id: &str, resource: &Node, span: &Range<usize>) {
        let key = |key: &str| format!("functions.{}.{key}", write::key(id));
        let properties = resource.get("Properties");
        let has = |name: &str| properties.is_some_and(|node| node.get(name).is_some());
        if !has("FunctionName") {
            let why = format!(
                "CloudFormation would make up a name: wavegate calls it `{id}`. If it exists already, give \
                 its name as `name`"
            );
            self.ledger.changed(span, &format!("{id}.FunctionName"), &key("name"), &why);
        }
        if !has("Role") {
            let name = format!("{id}RoleArn");
            let said = format!("the role that SAM made for {id}");
            let reason = "SAM makes a role of the function's policies when the stack is deployed";
            let hole = self.template.hole(&said, &name, &said, reason);
            self.role_on_aws(id, &format!("{id}.Role"), span, Text::unknown(&hole));
        }
        let package = properties.and_then(|node| node.get("PackageType"));
        let is_image = package
            .is_some_and(|node| self.template.resolve(node).known().as_deref() == Some("Image"));
        if is_image && !self.has(id, "image") {
            self.it(id).keys.retain(|(key, _)| *key != "code");
            let said = format!("the image of {id}");
            let reason = "`sam build` makes it and `sam deploy` pushes it to a registry";
            let hole = self.template.hole(&said, &format!("{id}Image"), &said, reason);
            self.put(
                id,
                (span, &format!("{id}.ImageUri")),
                "image",
                Item::Text(Text::unknown(&hole)),
            );
        }
        if self.has(id, "image") {
            for name in ["runtime", "handler", "layers", "code"] {
                if self.has(id, name) {
                    self.it(id).keys.retain(|(key, _)| *key != name);
                    self.ledger.take_back(&key(name), "an image brings its own");
                }
            }
            return;
        }
        if !self.has(id, "code") && !has("InlineCode") && !has("CodeUri") && !has("Code") {
            let path = code_path(&self.request.code_prefix, ".");
            self.it(id).set("code", Item::text(&path));
            let why = "without a CodeUri, SAM takes the directory of the template";
            self.ledger.changed(span, &format!("{id}.CodeUri"), &key("code"), why);
        }
        for (name, found) in [("Runtime", "runtime"), ("Handler", "handler")] {
            if !self.has(id, found) && !has(name) {
                let message = format!("function `{id}` has no {name}");
                let help = "Lambda needs it for code that is no image";
                self.template.problem(code::TEMPLATE_VALUE, span, &message, help);
            }
        }
    }
}

/// Why a property that Lambda knows is not in the manifest.
fn left_out(name: &str) -> Option<&'static str> {
    Some(match name {
        "Policies"
        | "PermissionsBoundary"
        | "AssumeRolePolicyDocument"
        | "RolePath"
        | "PropagateTags" => "wavegate makes no roles: SAM's stays, and `role` names it",
        "ReservedConcurrentExecutions" => {
            "a release does not change concurrency: what is set on the function stays"
        }
        "ProvisionedConcurrencyConfig" => {
            "a release does not set it: put it on the alias with another tool; `wavegate doctor` tells if it \
             serves nothing"
        }
        "Tags" => "a release sets no tags: what is on the function stays",
        "AutoPublishCodeSha256" | "AutoPublishAliasAllProperties" => {
            "a version is published when the code or the configuration differs from what is served"
        }
        "VersionDeletionPolicy" | "VersionDescription" => {
            "`keep_versions` says how many versions are kept"
        }
        "EventInvokeConfig" => "settings of asynchronous invocations stay as they are on the alias",
        "FunctionUrlConfig" => "wavegate makes no URLs: leave it with SAM, on the alias",
        "ImageConfig" => "the manifest has no key for it: say it in the image itself",
        "KmsKeyArn" | "SourceKMSKeyArn" | "CodeSigningConfigArn" => {
            "wavegate sets no keys: what is on the function stays"
        }
        "FileSystemConfigs" => "wavegate mounts no file systems: what is on the function stays",
        "LoggingConfig" => "wavegate sets no log groups: what is on the function stays",
        "SnapStart" => "wavegate does not set it: what is on the function stays",
        "RuntimeManagementConfig" | "RecursiveLoop" => {
            "it is set beside the function: what is there stays"
        }
        _ => return None,
    })
}

fn unknowns(item: &Item) -> Vec<Rc<Unknown>> {
    match item {
        Item::Text(text) => text.unknowns().cloned().collect(),
        Item::List(texts) => texts.iter().flat_map(Text::unknowns).cloned().collect(),
        Item::Table(entries) => entries.iter().flat_map(|(_, item)| unknowns(item)).collect(),
        Item::Number(_) => Vec::new(),
    }
}

/// `https://s3.amazonaws.com/bucket/key` and its like, as SAM takes them.
fn s3_of_url(url: &str) -> Option<String> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    if !host.contains("amazonaws.com") {
        return None;
    }
    match host.split_once(".s3") {
        Some((bucket, _)) => Some(format!("s3://{bucket}/{path}")),
        None => host.starts_with("s3").then(|| format!("s3://{path}")),
    }
}

/// The place of a function as a whole: where its type is said.
fn resource_span(resource: &Node) -> Range<usize> {
    resource.get("Type").map_or_else(|| resource.span.clone(), |node| node.span.clone())
}
