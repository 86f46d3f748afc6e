//! One function of a template, property by property.

use std::ops::Range;

use wavegate_core::name::FunctionName;

use super::Importer;
use crate::code;
use crate::import::code_path;
use crate::import::draft::Alias;
use crate::import::edges::{Edge, Why};
use crate::import::value::{Data, Text, Value};
use crate::import::write::{self, Item};
use crate::import::yaml::Node;
use crate::units;

/// Runtimes whose code in the template is a file of this name.
const INLINE: [(&str, &str); 2] = [("python", "index.py"), ("nodejs", "index.js")];

impl Importer<'_> {
    /// Takes one function.
    pub(super) fn function(&mut self, id: &str, resource: &Node) {
        self.draft.app.functions.push(write::Function { key: id.to_owned(), ..Default::default() });
        let empty = Vec::new();
        let properties = match resource.get("Properties") {
            Some(node) => node.map().unwrap_or_else(|| {
                let message = format!("`Properties` of `{id}` is not a map");
                self.draft.template.problem(code::TEMPLATE_SHAPE, &node.span, &message, "");
                &[]
            }),
            None => &empty,
        };
        self.draft.template.take_references();
        for (key, node) in properties {
            if key.text == "DeploymentPreference" {
                continue;
            }
            let property = format!("{id}.{}", key.text);
            let value = self.draft.template.resolve(node);
            self.refer(id, &property);
            if value.is_nothing() {
                self.draft.ledger.left_out(&key.span, &property, "it comes to nothing");
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

    /// The functions that were referred to since the last time.
    fn refer(&mut self, id: &str, property: &str) {
        for reference in self.draft.template.take_references() {
            if self.keys.contains_key(&reference.to) && reference.to != id {
                self.draft.edges.push(Edge {
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
                        self.draft.edges.push(Edge {
                            from: id.to_owned(),
                            to: to.to_owned(),
                            why: Why::Said,
                            span: span.clone(),
                            property: property.clone(),
                        });
                    } else if self.draft.template.resource(to).is_some() {
                        let why = format!("`{to}` is no function of the manifest");
                        self.draft.ledger.left_out(span, &property, &why);
                    } else {
                        let message = format!("the template has no `{to}`");
                        self.draft.template.problem(code::TEMPLATE_REFERENCE, span, &message, "");
                    }
                }
            }
            "Metadata" => {
                let why = "it tells `sam build` how to build: build first, and name what was built";
                for (key, _) in node.map().unwrap_or_default() {
                    self.draft.ledger.left_out(&key.span, &format!("{property}.{}", key.text), why);
                }
            }
            _ => self.draft.ledger.left_out(
                span,
                &property,
                "it is about the stack's resource, which wavegate has not",
            ),
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
                if let Some(text) = self.draft.single(value, property) {
                    self.draft.put(id, at, key, Item::Text(text));
                }
            }
            "CodeUri" | "Code" | "ImageUri" | "InlineCode" => self.code(id, name, property, value),
            "PackageType" => {
                if let Some(text) = self.draft.single(value, property) {
                    let key =
                        if text.as_known().as_deref() == Some("Image") { "image" } else { "code" };
                    self.draft.ledger.taken(
                        &value.span,
                        property,
                        &format!("functions.{}.{key}", write::key(id)),
                    );
                }
            }
            "MemorySize" => {
                if let Some(text) = self.draft.quantity(value, property, "MB") {
                    self.draft.put(id, at, "memory", Item::Text(text));
                }
            }
            "Timeout" => {
                if let Some(text) = self.draft.quantity(value, property, "s") {
                    self.draft.put(id, at, "timeout", Item::Text(text));
                }
            }
            "Environment" => self.environment(id, property, value),
            "Role" => self.draft.role(id, property, value),
            "Layers" => self.draft.layers(id, property, value),
            "Architectures" => self.architecture(id, property, value),
            "VpcConfig" => self.draft.vpc(id, property, value),
            "Tracing" | "TracingConfig" => self.tracing(id, property, value),
            "EphemeralStorage" => {
                for (key, value) in self.draft.entries(value, property).to_vec() {
                    let property = format!("{property}.{key}");
                    if key != "Size" {
                        self.draft.unknown_property(&value.span, &property);
                    } else if let Some(text) = self.draft.quantity(&value, &property, "MB") {
                        self.draft.put(
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
                for (key, event) in self.draft.entries(value, property).to_vec() {
                    let kind = event.get("Type").and_then(Value::known).unwrap_or_default();
                    let why =
                        "wavegate makes no triggers: leave it with SAM, and let it call the alias";
                    self.draft.ledger.left_out(
                        &event.span,
                        &format!("{property}.{key} ({kind})"),
                        why,
                    );
                }
            }
            _ => match left_out(name) {
                Some(why) => self.draft.ledger.left_out(&value.span, property, why),
                None => self.draft.unknown_property(&value.span, property),
            },
        }
    }

    fn function_name(&mut self, id: &str, property: &str, value: &Value) {
        let Some(text) = self.draft.single(value, property) else { return };
        match text.as_known() {
            Some(known) => {
                if let Err(bad) = FunctionName::new(known.as_str()) {
                    self.draft.template.problem(
                        code::TEMPLATE_VALUE,
                        &value.span,
                        &bad.to_string(),
                        "",
                    );
                } else if known == id {
                    let key = format!("functions.{}", write::key(id));
                    self.draft.ledger.taken(&value.span, property, &key);
                } else {
                    self.draft.put(id, (&value.span, property), "name", Item::Text(text));
                }
            }
            None => self.draft.put(id, (&value.span, property), "name", Item::Text(text)),
        }
    }

    fn code(&mut self, id: &str, name: &str, property: &str, value: &Value) {
        let at = (&value.span, property);
        match (&value.data, name) {
            (Data::Text(text), "ImageUri") => {
                self.draft.put(id, at, "image", Item::Text(text.clone()));
            }
            (Data::Text(text), "InlineCode") => self.inline(id, property, &value.span, text),
            (Data::Text(text), _) => match text.as_known() {
                Some(url) if url.starts_with("s3://") => {
                    self.draft.put(id, at, "code", Item::Text(text.clone()));
                }
                Some(path) if path.starts_with("https://") => {
                    let text = s3_of_url(&path).map_or_else(|| text.clone(), Text::known);
                    self.draft.put(id, at, "code", Item::Text(text));
                }
                Some(path) => {
                    let path = code_path(&self.request.code_prefix, &path);
                    let full = format!("functions.{}.code", write::key(id));
                    self.draft.it(id).set("code", Item::text(&path));
                    let is_file = [".jar", ".war", ".py", ".js", ".mjs", ".rb"]
                        .iter()
                        .any(|end| path.ends_with(end));
                    let why = if is_file {
                        "SAM would zip this file: put it into a directory of its own, or name a .zip"
                    } else {
                        "it is packaged as it is: what `sam build` would add or compile has to be there"
                    };
                    self.draft.ledger.changed(&value.span, property, &full, why);
                }
                None => self.draft.put(id, at, "code", Item::Text(text.clone())),
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
                    self.draft.put(id, at, "code", Item::Text(url));
                }
                for (key, value) in entries.clone() {
                    let property = format!("{property}.{key}");
                    match (key.as_str(), value.as_text()) {
                        ("Bucket" | "S3Bucket" | "Key" | "S3Key", Some(_)) => {}
                        ("ImageUri", Some(text)) => {
                            self.draft.put(
                                id,
                                (&value.span, &property),
                                "image",
                                Item::Text(text.clone()),
                            );
                        }
                        ("ZipFile", Some(text)) => self.inline(id, &property, &value.span, text),
                        ("Version" | "S3ObjectVersion", _) => {
                            let why = "the newest version of the object is taken";
                            self.draft.ledger.left_out(&value.span, &property, why);
                        }
                        _ => self.draft.unknown_property(&value.span, &property),
                    }
                }
            }
            _ => {
                self.draft.single(value, property);
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
                self.draft.it(id).set("code", Item::text(&directory));
                let why = format!("a manifest holds no code: it is written to {directory}/{file}");
                let key = format!("functions.{}.code", write::key(id));
                self.draft.ledger.changed(span, property, &key, &why);
            }
            (Some(_), None) => {
                let message = format!(
                    "code in the template needs a Python or Node.js runtime, not `{runtime}`"
                );
                self.draft.template.problem(code::TEMPLATE_VALUE, span, &message, "");
            }
            (None, _) => {
                let hole = text.unknowns().next().map(|unknown| unknown.said.clone());
                let message = format!("the code is not known: {}", hole.unwrap_or_default());
                let help = "give the value with --parameter, or put the code into a file";
                self.draft.template.problem(code::TEMPLATE_VALUE, span, &message, help);
            }
        }
    }

    /// The runtime, which may stand behind the code.
    fn runtime_of(&self, id: &str) -> String {
        let node =
            self.draft.template.resource(id).and_then(|node| node.at(&["Properties", "Runtime"]));
        node.and_then(|node| self.draft.template.resolve(node).known()).unwrap_or_default()
    }

    fn environment(&mut self, id: &str, property: &str, value: &Value) {
        for (section, variables) in self.draft.entries(value, property) {
            let property = format!("{property}.{section}");
            if section == "Variables" {
                self.draft.variables(id, &property, variables);
            } else {
                self.draft.unknown_property(&variables.span, &property);
            }
        }
    }

    fn architecture(&mut self, id: &str, property: &str, value: &Value) {
        let mut all = self.draft.texts(value, property);
        let Some(last) = all.pop() else { return };
        if all.is_empty() {
            self.draft.put(id, (&value.span, property), "architecture", Item::Text(last));
            return;
        }
        // SAM puts the lists of Globals and of the function behind each other, and Lambda takes one.
        let why = "Lambda takes one architecture: the last one, which is the function's own";
        let key = format!("functions.{}.architecture", write::key(id));
        self.draft.it(id).set("architecture", Item::Text(last));
        self.draft.ledger.changed(&value.span, property, &key, why);
    }

    fn tracing(&mut self, id: &str, property: &str, value: &Value) {
        let mode = match value.map() {
            Some(_) => value.get("Mode").cloned(),
            None => Some(value.clone()),
        };
        let Some(text) = mode.and_then(|mode| self.draft.single(&mode, property)) else { return };
        let at = (&value.span, property);
        match text.as_known().as_deref() {
            Some("Active") => self.draft.put(id, at, "tracing", Item::text("active")),
            Some("PassThrough") => self.draft.put(id, at, "tracing", Item::text("passthrough")),
            Some("Disabled") => {
                let key = format!("functions.{}.tracing", write::key(id));
                let why = "Lambda knows no more than to pass on what its caller traces, which is the default";
                self.draft.ledger.changed(&value.span, property, &key, why);
            }
            Some(other) => {
                let message = format!("`{other}` is not a mode of tracing");
                self.draft.template.problem(
                    code::TEMPLATE_VALUE,
                    &value.span,
                    &message,
                    "Active or PassThrough",
                );
            }
            None => self.draft.put(id, at, "tracing", Item::Text(text)),
        }
    }

    fn dead_letter(&mut self, id: &str, property: &str, value: &Value) {
        for (name, value) in self.draft.entries(value, property).to_vec() {
            let property = format!("{property}.{name}");
            let full = format!("functions.{}.dead_letter", write::key(id));
            match name.as_str() {
                // The ARN says it.
                "Type" => self.draft.ledger.taken(&value.span, &property, &full),
                "TargetArn" => {
                    let Some(text) = self.draft.single(&value, &property) else { continue };
                    if text.as_known().is_some_and(|known| !units::is_dead_letter_arn(&known)) {
                        let message = "this is not the ARN of a queue or topic";
                        self.draft.template.problem(code::TEMPLATE_VALUE, &value.span, message, "");
                    }
                    self.draft.put(id, (&value.span, &property), "dead_letter", Item::Text(text));
                }
                _ => self.draft.unknown_property(&value.span, &property),
            }
        }
    }

    fn alias(&mut self, id: &str, resource: &Node, span: &Range<usize>) {
        let entry = resource.get("Properties").and_then(|node| node.entry("AutoPublishAlias"));
        let value = entry
            .map(|(key, node)| (key.span.start..node.span.end, self.draft.template.resolve(node)));
        let value = value.filter(|(_, value)| !value.is_nothing());
        let property = format!("{id}.AutoPublishAlias");
        let alias = match value {
            Some((span, value)) => {
                let name = self.draft.single(&value, &property);
                Alias { name, span, property: property.clone() }
            }
            None => Alias { name: None, span: span.clone(), property },
        };
        self.draft.aliases.push(alias);
    }

    /// What only the whole function shows.
    fn whole(&mut self, id: &str, resource: &Node, span: &Range<usize>) {
        let key = |key: &str| format!("functions.{}.{key}", write::key(id));
        let properties = resource.get("Properties");
        let template = self.draft.template;
        // What comes to nothing is not there.
        let has = |name: &str| {
            let node = properties.and_then(|properties| properties.get(name));
            node.is_some_and(|node| !template.resolve(node).is_nothing())
        };
        if !has("FunctionName") {
            let why = format!(
                "CloudFormation would make up a name: wavegate calls it `{id}`. If it exists already, give \
                 its name as `name`"
            );
            self.draft.ledger.changed(span, &format!("{id}.FunctionName"), &key("name"), &why);
        }
        if !has("Role") {
            let name = format!("{id}RoleArn");
            let said = format!("the role that SAM made for {id}");
            let reason = "SAM makes a role of the function's policies when the stack is deployed";
            let hole = self.draft.template.hole(&said, &name, &said, reason);
            self.draft.role_on_aws(id, &format!("{id}.Role"), span, Text::unknown(&hole));
        }
        let package = properties.and_then(|node| node.get("PackageType"));
        let is_image = package.is_some_and(|node| {
            self.draft.template.resolve(node).known().as_deref() == Some("Image")
        });
        if is_image && !self.draft.has(id, "image") {
            self.draft.it(id).keys.retain(|(key, _)| *key != "code");
            let said = format!("the image of {id}");
            let reason = "`sam build` makes it and `sam deploy` pushes it to a registry";
            let hole = self.draft.template.hole(&said, &format!("{id}Image"), &said, reason);
            self.draft.put(
                id,
                (span, &format!("{id}.ImageUri")),
                "image",
                Item::Text(Text::unknown(&hole)),
            );
        }
        if self.draft.has(id, "image") {
            for name in ["runtime", "handler", "layers", "code"] {
                if self.draft.has(id, name) {
                    self.draft.it(id).keys.retain(|(key, _)| *key != name);
                    self.draft.ledger.take_back(&key(name), "an image brings its own");
                }
            }
            return;
        }
        if !self.draft.has(id, "code") && !has("InlineCode") && !has("CodeUri") && !has("Code") {
            let path = code_path(&self.request.code_prefix, ".");
            self.draft.it(id).set("code", Item::text(&path));
            let why = "without a CodeUri, SAM takes the directory of the template";
            self.draft.ledger.changed(span, &format!("{id}.CodeUri"), &key("code"), why);
        }
        for (name, found) in [("Runtime", "runtime"), ("Handler", "handler")] {
            if !self.draft.has(id, found) && !has(name) {
                let message = format!("function `{id}` has no {name}");
                let help = "Lambda needs it for code that is no image";
                self.draft.template.problem(code::TEMPLATE_VALUE, span, &message, help);
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
