//! A manifest in a directory of its own, and what `load` says about it.

use std::fs;
use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use tempfile::TempDir;
use wavegate_config::{Components, Manifest, Problems, Request, load};

/// What lies over the file.
#[derive(Default, Clone)]
pub(crate) struct Over {
    /// The profile.
    pub(crate) profile: Option<&'static str>,
    /// The environment.
    pub(crate) env: Vec<(&'static str, &'static str)>,
    /// The flags.
    pub(crate) flags: Vec<(&'static str, &'static str)>,
}

/// The components that ship with wavegate.
pub(crate) fn components() -> Components {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Components {
        strategies: ids(&["all-at-once", "canary", "linear"]),
        hooks: ids(&["command", "lambda"]),
        alarms: ids(&["cloudwatch-alarm", "cloudwatch-metric"]),
        incomplete: false,
    }
}

/// Loads a text as `deploy.toml` beside `functions/{auth,checkout,mail}/`, `bundle.zip` and `notes.txt`.
pub(crate) fn load_text(text: &str, over: &Over) -> Result<Manifest, (Problems, String)> {
    let (dir, request) = request(text, over);
    load(&request).map_err(|problems| {
        let text = render_in(dir.path(), &problems);
        (problems, text)
    })
}

/// The directory that [`load_text`] loads from, and what it asks for.
pub(crate) fn request(text: &str, over: &Over) -> (TempDir, Request) {
    let dir = tempfile::tempdir().unwrap();
    for name in ["auth", "checkout", "mail"] {
        fs::create_dir_all(dir.path().join("functions").join(name)).unwrap();
    }
    fs::write(dir.path().join("bundle.zip"), b"").unwrap();
    fs::write(dir.path().join("notes.txt"), b"").unwrap();
    let path = dir.path().join("deploy.toml");
    fs::write(&path, text).unwrap();
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let request = Request {
        path,
        profile: over.profile.map(str::to_owned),
        env: owned(&over.env),
        flags: owned(&over.flags),
        components: components(),
    };
    (dir, request)
}

/// Problems with paths as seen from a directory.
pub(crate) fn render_in(dir: &Path, problems: &dyn Diagnostic) -> String {
    render(problems).replace(&format!("{}/", dir.display()), "")
}

/// Problems as a terminal without colours shows them.
pub(crate) fn render(problems: &dyn Diagnostic) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_context_lines(1);
    handler.render_report(&mut text, problems).unwrap();
    text
}

/// A manifest without a flaw: a graph of three functions with all kinds of components.
pub(crate) const SHOP: &str = r#"
[app]
name = "shop"
region = "ap-northeast-2"

[defaults]
runtime = "python3.13"
handler = "app.handler"
role = "arn:aws:iam::123456789012:role/shop"
strategy = "Canary10Percent5Minutes"
alarms = ["errors"]
environment = { LOG_LEVEL = "info", STAGE = "${env:STAGE:-dev}" }

[functions.auth]
code = "functions/auth"
memory = "256MB"
timeout = "10s"
environment = { LOG_LEVEL = "debug", RETRIES = 3, VERBOSE = true }

[functions.checkout]
code = "functions/checkout"
depends_on = ["auth"]
strategy = "careful"
alarms = ["errors", "checkout-5xx"]
hooks = { pre_traffic = ["smoke"], post_traffic = ["verify"] }
bake = "5m"

[functions.mail]
name = "shop-mail"
image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mail:7"
depends_on = ["auth", "checkout"]
alarms = []
architecture = "arm64"
tracing = "active"
vpc = { subnets = ["subnet-1"], security_groups = ["sg-1"] }

[strategies.careful]
use = "canary"
percent = 10
bake = "10m"

[hooks.smoke]
use = "lambda"
function = "checkout-smoke"
timeout = "2m"
[hooks.verify]
use = "command"
command = ["pytest", "-q", "smoke"]

[alarms.errors]
use = "cloudwatch-metric"
metric = "Errors"
max = "1%"
period = "1m"
[alarms.checkout-5xx]
use = "cloudwatch-alarm"
alarm = "checkout-5xx"
if_already_alarming = "wait"

[local]
time_scale = 60
traffic = { rps = 20 }
check_roles = true

[profiles.prod.app]
target = "aws"
[profiles.prod.defaults]
environment = { STAGE = "prod" }
"#;
