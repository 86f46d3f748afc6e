//! The provider against a real Prometheus, which scrapes what the test serves.
//!
//! Needs `prometheus` on `PATH`; without it the test says so and is skipped, but not where `CI` is
//! set.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wavegate_plugin_prometheus::Prometheus;
use wavegate_plugin_sdk::http::testing::{Reply, Server};
use wavegate_plugin_sdk::{
    AlarmQuery, AlarmReading, AlarmStatus, AlarmSubject, CallContext, CloudAccess,
    DynAlarmProvider, Look, PluginError,
};

const PROVIDER: &dyn DynAlarmProvider = &Prometheus;

/// How long the server may take to start and to scrape.
const LIMIT: Duration = Duration::from_mins(1);

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What is scraped: an app whose name needs every escape there is.
const METRICS: &str = r#"
errors{app="a\"b'c\\d", version="4", pod="x"} 1
errors{app="a\"b'c\\d", version="5", pod="x"} 3
errors{app="a\"b'c\\d", version="5", pod="y"} 9
requests{app="a\"b'c\\d", version="4"} 100
requests{app="a\"b'c\\d", version="5"} 0
"#;

#[tokio::test]
async fn the_queries_of_a_release_are_answered_by_a_real_server() {
    if !has_prometheus() {
        return;
    }
    let app = Server::start(|_| Reply::new(200, METRICS).with("Content-Type", "text/plain")).await;
    let prometheus = Scraping::start(&app.address().to_string());
    prometheus.wait_for("count(errors) == 3").await;

    let told = |promql: &'static str| prometheus.told(promql);
    let sum = r#"sum(errors{app="$app", version="$candidate"})"#;
    assert_eq!(told(sum).await, (AlarmStatus::Firing, "the result 12 > 10".into()));
    let stable = r"sum(errors{app='$app', version='$stable'})";
    assert_eq!(told(stable).await, (AlarmStatus::Ok, "the result 1 <= 10".into()));
    let ratio = r#"sum(errors{version="0"} or vector(0)) / sum(requests{version="$candidate"})"#;
    let (status, detail) = told(ratio).await;
    assert_eq!(status, AlarmStatus::Unknown);
    assert_eq!(detail, "the result is not a number, as 0/0 is not; missing data is unknown");
    let of_no_errors =
        r#"(sum(errors{version="7"}) or vector(0)) / sum(requests{version="$stable"})"#;
    assert_eq!(told(of_no_errors).await, (AlarmStatus::Ok, "the result 0 <= 10".into()));
    let infinite = r#"sum(errors) / sum(requests{version="$candidate"})"#;
    assert_eq!(told(infinite).await, (AlarmStatus::Firing, "the result +Inf > 10".into()));
    let nothing = (AlarmStatus::Unknown, "the query gives nothing; missing data is unknown".into());
    assert_eq!(told(r#"errors{app="$function"}"#).await, nothing);
    assert_eq!(told("scalar(sum(errors))").await.0, AlarmStatus::Firing);

    let (status, detail) = told(r#"4 * errors{version="$candidate"}"#).await;
    assert_eq!(status, AlarmStatus::Firing);
    assert!(detail.contains(r#"pod="y""#), "{detail}");
    assert!(detail.ends_with("} 36 > 10, 2 of 2 series in breach"), "{detail}");

    let error = prometheus.read("sum(errors").await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("prometheus.query", false));
    assert!(error.message().contains("bad_data: "), "{error}");
    assert!(error.message().contains("parse error: unclosed left parenthesis"), "{error}");
    let error = prometheus.read("errors[1m]").await.unwrap_err();
    assert!(error.message().contains("the query gives a matrix"), "{error}");
}

/// A Prometheus of its own. Ends when it is dropped.
struct Scraping {
    process: Child,
    url: String,
    _home: TempDir,
}

impl Scraping {
    fn start(target: &str) -> Self {
        let home = TempDir::new().expect("a directory");
        let config = home.path().join("prometheus.yml");
        let scraping = json!({
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
            "scrape_configs": [{"job_name": "app", "static_configs": [{"targets": [target]}]}],
        });
        // JSON is YAML.
        std::fs::write(&config, scraping.to_string()).expect("a config");
        let mut process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", home.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it was found before");
        let mut log = BufReader::new(process.stderr.take().expect("it is piped"));
        let address = listens_on(&mut log);
        // What it says from now on is nobody's affair, but must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, url: format!("http://{address}"), _home: home }
    }

    async fn read(&self, promql: &str) -> Result<AlarmReading, PluginError> {
        let config = json!({"url": self.url, "query": promql, "max": 10});
        let cx = CallContext::new(LIMIT, "k");
        PROVIDER.read(&cx, vec![query(config)]).await.map(|mut readings| readings.remove(0))
    }

    async fn told(&self, promql: &str) -> (AlarmStatus, String) {
        let reading = self.read(promql).await.expect("an answer");
        (reading.status, reading.detail)
    }

    /// Waits until a query has a result.
    async fn wait_for(&self, promql: &str) {
        let there = async {
            while !self.read(promql).await.is_ok_and(|read| read.status == AlarmStatus::Ok) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(LIMIT, there).await.unwrap_or_else(|_| panic!("never: {promql}"));
    }
}

impl Drop for Scraping {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address that it was given, as its log tells it.
fn listens_on(log: &mut impl BufRead) -> String {
    let mut said = String::new();
    while log.read_line(&mut said).expect("a log of text") > 0 {
        let line = said.lines().last().unwrap_or_default();
        if line.contains("Listening on") {
            let address = line.split_whitespace().find_map(|word| word.strip_prefix("address="));
            return address.expect("an address").to_owned();
        }
    }
    panic!("it ended before it listened:\n{said}");
}

fn query(config: Value) -> AlarmQuery<Value> {
    AlarmQuery {
        key: "k".into(),
        config,
        subject: AlarmSubject {
            app: "a\"b'c\\d".into(),
            function: "nobody".into(),
            alias: "live".into(),
            stable: Some("4".into()),
            candidate: Some("5".into()),
        },
        look: Look::Watch,
        since_ms: Some(1),
        now_ms: 2,
        cloud: CloudAccess::default(),
    }
}

fn has_prometheus() -> bool {
    let probe = Command::new("prometheus")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = probe.is_ok_and(|status| status.success());
    if !is_there {
        let words = "skipped: `prometheus` is not on PATH (Debian: apt-get install prometheus)";
        assert!(std::env::var_os("CI").is_none(), "{words}");
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    is_there
}
