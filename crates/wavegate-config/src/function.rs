//! One `[functions.NAME]` table, with the defaults under it, to a [`FunctionSpec`].
//!
//! The limits are Lambda's. Those that Lambda moves from time to time are taken from its API model
//! and not from its documentation, which is stricter for ordinary functions: Lambda refuses then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use wavegate_core::name::FunctionName;
use wavegate_core::spec::{
    AlarmUse, CodeSource, FunctionConfig, FunctionSpec, HookUse, Hooks, Secret, Vpc,
};
use wavegate_core::time::human;

use crate::check::{Scope, listed_twice, named, section, texts};
use crate::code;
use crate::codedeploy::{Groups, Subject};
use crate::components::Tables;
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::node::{Data, Node, Part};
use crate::problem::{Place, Problem};
use crate::values::{self, duration};
use crate::{Target, raw, units};

/// The role that functions of the local cloud run under, which looks at none.
pub const LOCAL_ROLE: &str = "arn:aws:iam::000000000000:role/wavegate-local";

/// Memory in MiB. Source: `MemorySize` of Lambda's API model.
const MEMORY_MB: (u32, u32) = (128, 32_768);
/// `/tmp` in MiB. Source: `EphemeralStorageSize` of Lambda's API model.
const EPHEMERAL_MB: (u32, u32) = (512, 10_240);
/// Source: `Timeout` of Lambda's API model.
const TIMEOUT_S: (u64, u64) = (1, 5400);
/// Source: Lambda's quotas.
const LAYERS_MAX: usize = 5;
/// All names and values of environment variables together. Source: Lambda's quotas.
const ENVIRONMENT_BYTES_MAX: usize = 4096;
/// How long alarms are watched after promotion unless said otherwise.
const BAKE: Duration = Duration::from_mins(1);

/// A function's table and what is needed to talk about it.
struct Reader<'a> {
    key: &'a str,
    node: &'a Node,
    scope: &'a Scope<'a>,
}

/// Reads one function; `None` if it cannot be understood, which has been reported.
pub(crate) fn read<'a>(
    key: &'a str,
    scope: &'a Scope<'a>,
    (tables, groups): (&mut Tables, &mut Groups<'a>),
    findings: &mut Findings,
) -> Option<FunctionSpec> {
    let node = scope.tree.get(&["functions", key])?;
    let reader = Reader { key, node, scope };
    let raw: raw::Function = section(scope.tree, &["functions", key], findings);
    let name = named(FunctionName::new(key), scope, &["functions", key], Part::Key, findings);
    let lambda_name = match &raw.name {
        Some(text) => {
            let path = ["functions", key, "name"];
            named(FunctionName::new(text.as_str()), scope, &path, Part::Value, findings)
        }
        None if findings.is_spoilt(&["functions", key, "name"]) => None,
        None => name.clone(),
    };
    let code = reader.code(&raw, findings);
    let config = reader.config(&raw, findings);
    let strategy = node.child("strategy").and_then(|node| tables.strategy(node, scope, findings));
    let mut hooks = reader.hooks(tables, findings);
    let alarms = reader.alarms(tables, findings);
    let subject = Subject { key, node, scope, lambda_name: lambda_name.clone() };
    let engine = groups.engine(&subject, hooks.as_mut(), alarms.as_deref(), findings);
    let bake = reader.bake(findings);
    let needs = texts(node.child("depends_on")).filter_map(|node| match &node.data {
        Data::Text(need) => FunctionName::new(need.as_str()).ok(),
        _ => None,
    });
    Some(FunctionSpec {
        name: name?,
        lambda_name: lambda_name?,
        code: code?,
        config: config?,
        depends_on: needs.collect(),
        strategy: strategy?,
        engine: engine?,
        hooks: hooks?,
        alarms: alarms?,
        bake: bake?,
    })
}

impl Reader<'_> {
    /// The place of one of the function's keys, or of the function if it has not that key.
    fn place(&self, key: &str, part: Part, findings: &Findings) -> Place {
        self.scope.tree.locate(findings.source(), &["functions", self.key, key], part)
    }

    /// Whether a key was reported, here or in the defaults.
    fn is_spoilt(&self, key: &str, findings: &Findings) -> bool {
        findings.is_spoilt(&["functions", self.key, key]) || findings.is_spoilt(&["defaults", key])
    }

    fn quoted(&self, key: &str) -> String {
        self.node.child(key).map_or_else(|| format!("`{key}`"), Node::quoted)
    }

    fn code(&self, raw: &raw::Function, findings: &mut Findings) -> Option<CodeSource> {
        match (&raw.code, &raw.image) {
            (Some(code), None) => self.path_or_url(code, findings),
            (None, Some(image)) if image.contains(char::is_whitespace) => {
                let place = self.place("image", Part::Value, findings);
                let message = format!("{} is not an image's URI", self.quoted("image"));
                findings.push(Problem::new(code::BAD_VALUE, place, message));
                None
            }
            (None, Some(image)) => Some(CodeSource::Image(image.clone())),
            (Some(_), Some(_)) => {
                let message = format!("function `{}` has both `code` and `image`", self.key);
                let place = self.place("code", Part::Value, findings);
                let image = self.place("image", Part::Value, findings);
                let problem = Problem::new(code::CODE_SOURCE, place, message)
                    .with_label("code")
                    .and_at(&image, "and an image")
                    .with_help("take one of them out");
                findings.push(problem);
                None
            }
            (None, None) => {
                let spoilt = self.is_spoilt("code", findings) || self.is_spoilt("image", findings);
                if !spoilt {
                    let place = self.place("code", Part::Key, findings);
                    let message = format!("function `{}` has no code", self.key);
                    let problem = Problem::new(code::CODE_SOURCE, place, message)
                        .with_label("`code` or `image` is missing")
                        .with_help("add `code = \"DIRECTORY\"`, or `image = \"URI\"`");
                    findings.push(problem);
                }
                None
            }
        }
    }

    fn path_or_url(&self, code: &str, findings: &mut Findings) -> Option<CodeSource> {
        let place = self.place("code", Part::Value, findings);
        let quoted = self.quoted("code");
        if code.starts_with("s3://") {
            let Some((bucket, key)) = units::s3_url(code) else {
                let message = format!("{quoted} is not an S3 URL");
                let problem = Problem::new(code::CODE_URL, place, message);
                findings.push(
                    problem.with_label("malformed").with_help("write it like \"s3://bucket/key\""),
                );
                return None;
            };
            return Some(CodeSource::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
        }
        let path = self.scope.dir.join(code);
        let is_zip =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        if path.is_dir() || (is_zip && path.is_file()) {
            return Some(CodeSource::Path(path));
        }
        let problem = if path.exists() {
            let message = format!("{quoted} is neither a directory nor a .zip file");
            let help = "name the directory that holds the code; all of it is packaged";
            Problem::new(code::CODE_PATH, place, message).with_label("not code").with_help(help)
        } else {
            let message = format!("code {quoted} does not exist");
            let problem = Problem::new(code::CODE_PATH, place, message).with_label("not there");
            let is_shown = self.node.child("code").is_some_and(|node| !node.is_secret());
            match sibling(&path).filter(|_| is_shown) {
                Some(near) => {
                    let near = Path::new(code).with_file_name(near);
                    problem.with_help(format!("did you mean `{}`?", near.display()))
                }
                None => problem.with_help("paths are relative to the directory of the manifest"),
            }
        };
        findings.push(problem);
        None
    }

    fn config(&self, raw: &raw::Function, findings: &mut Findings) -> Option<FunctionConfig> {
        self.handler_and_runtime(raw, findings);
        let role = self.role(raw, findings);
        let memory_mb = self.size("memory", MEMORY_MB, findings);
        let ephemeral_storage_mb = self.size("ephemeral_storage", EPHEMERAL_MB, findings);
        let timeout_s = self.timeout(findings);
        let environment = self.environment(findings);
        self.layers(findings);
        let vpc = self.vpc(raw, findings);
        if raw.dead_letter.as_deref().is_some_and(|arn| !units::is_dead_letter_arn(arn)) {
            let place = self.place("dead_letter", Part::Value, findings);
            let message =
                format!("{} is not the ARN of a queue or topic", self.quoted("dead_letter"));
            let help = "write it like \"arn:aws:sqs:eu-west-1:123456789012:dead\"";
            findings.push(Problem::new(code::BAD_ARN, place, message).with_help(help));
        }
        let architecture = match raw.architecture {
            Some(raw::Architecture::Arm64) => "arm64",
            Some(raw::Architecture::X86_64) | None => "x86_64",
        };
        Some(FunctionConfig {
            runtime: raw.runtime.clone(),
            handler: raw.handler.clone(),
            role: role?,
            memory_mb: memory_mb?,
            timeout_s: timeout_s?,
            environment: environment?,
            description: raw.description.clone().unwrap_or_default(),
            architecture: architecture.to_owned(),
            layers: raw.layers.clone().unwrap_or_default(),
            ephemeral_storage_mb: ephemeral_storage_mb?,
            tracing: matches!(raw.tracing, Some(raw::Tracing::Active)),
            vpc: vpc?,
            dead_letter: raw.dead_letter.clone(),
        })
    }

    fn handler_and_runtime(&self, raw: &raw::Function, findings: &mut Findings) {
        if raw.image.is_some() {
            // With both sources given, that is the problem to solve first.
            let given = ["runtime", "handler", "layers"].into_iter().filter(|_| raw.code.is_none());
            for key in given.filter(|key| self.node.child(key).is_some()) {
                let place = self.place(key, Part::Value, findings);
                let message = format!("`{key}` does not go with an image");
                let problem = Problem::new(code::IMAGE_KEYS, place, message);
                findings.push(problem.with_help(format!("take `{key}` out: the image says it")));
            }
            return;
        }
        for (key, example) in [("runtime", "python3.13"), ("handler", "app.handler")] {
            if self.node.child(key).is_some() || self.is_spoilt(key, findings) {
                continue;
            }
            // Without code it is not known to be needed.
            if raw.code.is_none() {
                continue;
            }
            let place = self.place(key, Part::Key, findings);
            let problem =
                Problem::new(code::HANDLER, place, format!("function `{}` has no {key}", self.key))
                    .with_label(format!("`{key}` is missing"))
                    .with_help(format!("add `{key} = \"{example}\"` here or in [defaults]"));
            findings.push(problem);
        }
    }

    fn role(&self, raw: &raw::Function, findings: &mut Findings) -> Option<String> {
        let Some(role) = &raw.role else {
            if self.scope.target == Target::Local && !self.is_spoilt("role", findings) {
                return Some(LOCAL_ROLE.to_owned());
            }
            if !self.is_spoilt("role", findings) {
                let place = self.place("role", Part::Key, findings);
                let problem =
                    Problem::new(code::ROLE, place, format!("function `{}` has no role", self.key))
                        .with_label("`role` is missing")
                        .with_help(format!(
                            "add `role = \"{}\"` here or in [defaults]",
                            units::ROLE_FORM
                        ));
                findings.push(problem);
            }
            return None;
        };
        if units::is_role_arn(role) {
            return Some(role.clone());
        }
        let place = self.place("role", Part::Value, findings);
        let problem = Problem::new(
            code::BAD_ARN,
            place,
            format!("{} is not a role's ARN", self.quoted("role")),
        )
        .with_label("not a role's ARN")
        .with_help(format!("write it like \"{}\"", units::ROLE_FORM));
        findings.push(problem);
        None
    }

    fn size(&self, key: &str, range: (u32, u32), findings: &mut Findings) -> Option<u32> {
        values::size(self.node.child(key)?, key, range, "Lambda", findings)
    }

    fn timeout(&self, findings: &mut Findings) -> Option<u32> {
        let node = self.node.child("timeout")?;
        let span = duration(node, findings)?;
        let (min, max) = TIMEOUT_S;
        let is_whole = span.subsec_nanos() == 0;
        if is_whole && (min..=max).contains(&span.as_secs()) {
            return u32::try_from(span.as_secs()).ok();
        }
        let place = self.place("timeout", Part::Value, findings);
        let range = format!(
            "Lambda takes whole seconds, {} to {}",
            human(Duration::from_secs(min)),
            human(Duration::from_secs(max)),
        );
        let message = format!("{} is out of range for `timeout`", node.quoted());
        let problem = Problem::new(code::BAD_DURATION, place, message);
        findings.push(problem.with_label("out of range").with_help(range));
        None
    }

    fn environment(&self, findings: &mut Findings) -> Option<BTreeMap<String, Secret>> {
        let Some(node) = self.node.child("environment") else {
            return (!self.is_spoilt("environment", findings)).then(BTreeMap::new);
        };
        let mut variables = BTreeMap::new();
        let mut bytes = 0;
        let mut fits = true;
        for (name, value) in node.table().into_iter().flatten() {
            if let Some(reason) = refused_variable(name) {
                let place = findings.place(&value.origin, Part::Key);
                let message = format!("Lambda refuses the environment variable `{name}`");
                let problem = Problem::new(code::BAD_VARIABLE, place, message);
                findings.push(problem.with_label("refused").with_help(reason));
                fits = false;
            }
            let text = match &value.data {
                Data::Text(text) => text.clone(),
                Data::Integer(number) => number.to_string(),
                Data::Float(number) => number.to_string(),
                Data::Bool(bool) => bool.to_string(),
                Data::List(_) | Data::Table(_) => continue,
            };
            bytes += name.len() + text.len();
            variables.insert(name.clone(), Secret::new(text));
        }
        if bytes > ENVIRONMENT_BYTES_MAX {
            let place = self.place("environment", Part::Key, findings);
            let message = format!(
                "the environment of function `{}` has {bytes} bytes, and Lambda takes {ENVIRONMENT_BYTES_MAX}",
                self.key,
            );
            let help = "keep large values in a parameter store and pass their names";
            findings.push(Problem::new(code::BAD_VARIABLE, place, message).with_help(help));
            fits = false;
        }
        fits.then_some(variables)
    }

    fn layers(&self, findings: &mut Findings) {
        let list: Vec<&Node> = texts(self.node.child("layers")).collect();
        for node in &list {
            let Data::Text(arn) = &node.data else { continue };
            if !units::is_layer_arn(arn) {
                let place = findings.place(&node.origin, Part::Value);
                let message = format!("{} is not the ARN of a layer version", node.quoted());
                let help = "write it like \"arn:aws:lambda:eu-west-1:123456789012:layer:NAME:1\"";
                findings.push(Problem::new(code::BAD_ARN, place, message).with_help(help));
            }
        }
        if list.len() > LAYERS_MAX {
            let place = self.place("layers", Part::Value, findings);
            let message = format!("{} layers are more than Lambda takes", list.len());
            let help = format!("a function has {LAYERS_MAX} layers at most");
            findings.push(Problem::new(code::TOO_MANY, place, message).with_help(help));
        }
    }

    /// `None` if the VPC cannot be understood, `Some(None)` if there is none.
    #[expect(clippy::option_option, reason = "there may be no VPC, and it may be broken")]
    fn vpc(&self, raw: &raw::Function, findings: &mut Findings) -> Option<Option<Vpc>> {
        let Some(vpc) = &raw.vpc else {
            return (!self.is_spoilt("vpc", findings)).then_some(None);
        };
        let set =
            |list: &Option<Vec<String>>| list.iter().flatten().cloned().collect::<BTreeSet<_>>();
        let vpc = Vpc { subnets: set(&vpc.subnets), security_groups: set(&vpc.security_groups) };
        for (key, list) in [("subnets", &vpc.subnets), ("security_groups", &vpc.security_groups)] {
            let path = ["functions", self.key, "vpc", key];
            if list.is_empty() && !findings.is_spoilt(&path) {
                let place = self.scope.tree.locate(findings.source(), &path, Part::Value);
                let problem = Problem::new(code::BAD_VPC, place, format!("the VPC has no {key}"));
                findings
                    .push(problem.with_help(format!("add `{key} = [\"…\"]`, or take `vpc` out")));
            }
        }
        Some(Some(vpc))
    }

    fn hooks(&self, tables: &mut Tables, findings: &mut Findings) -> Option<Hooks> {
        let mut phase = |key: &str| -> Option<Vec<HookUse>> {
            let list = self.node.get(&["hooks", key]);
            let uses: Vec<Option<HookUse>> =
                texts(list).map(|node| tables.hook(node, self.scope, findings)).collect();
            uses.into_iter().collect()
        };
        // All three are read before the first broken one decides.
        let phases = (phase("pre_traffic"), phase("post_traffic"), phase("on_rollback"));
        Some(Hooks { pre_traffic: phases.0?, post_traffic: phases.1?, on_rollback: phases.2? })
    }

    fn alarms(&self, tables: &mut Tables, findings: &mut Findings) -> Option<Vec<AlarmUse>> {
        let mut seen = BTreeSet::new();
        let mut uses = Vec::new();
        for node in texts(self.node.child("alarms")) {
            let Data::Text(name) = &node.data else { continue };
            if seen.insert(name) {
                uses.push(tables.alarm(node, self.scope, findings));
            } else {
                let place = findings.place(&node.origin, Part::Value);
                findings.push(listed_twice(place, node));
            }
        }
        uses.into_iter().collect()
    }

    fn bake(&self, findings: &mut Findings) -> Option<Duration> {
        let has_alarms = texts(self.node.child("alarms")).next().is_some();
        let Some(node) = self.node.child("bake") else {
            let default = if has_alarms { BAKE } else { Duration::ZERO };
            return (!self.is_spoilt("bake", findings)).then_some(default);
        };
        let bake = duration(node, findings)?;
        if !bake.is_zero() && !has_alarms && !self.is_spoilt("alarms", findings) {
            let place = findings.place(&node.origin, Part::Value);
            let problem = Problem::new(code::IDLE_BAKE, place, "a bake without alarms only waits")
                .with_label("watches nothing")
                .with_help("add `alarms`, or take `bake` out")
                .as_warning();
            findings.push(problem);
        }
        Some(bake)
    }
}

/// Why Lambda would refuse a variable; `None` if it would not.
pub(crate) fn refused_variable(name: &str) -> Option<&'static str> {
    /// Source: "Defined runtime environment variables" in Lambda's documentation.
    const RESERVED: [&str; 18] = [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ];
    if RESERVED.contains(&name) {
        return Some("Lambda sets it itself");
    }
    let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_legal =
        name.len() >= 2 && is_word && name.starts_with(|c: char| c.is_ascii_alphabetic());
    (!is_legal).then_some("names start with a letter and hold two or more letters, digits and `_`")
}

/// The entry of the same directory whose name is closest.
fn sibling(path: &Path) -> Option<String> {
    /// A directory of more entries is not searched.
    const ENTRIES_MAX: usize = 1000;
    let name = path.file_name()?.to_str()?;
    let entries = std::fs::read_dir(path.parent()?).ok()?.take(ENTRIES_MAX);
    let names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}
