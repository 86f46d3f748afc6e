//! Where a release runs: the local cloud, running or embedded, or AWS; with the engine on it.

use std::path::PathBuf;
use std::sync::Arc;

use wavegate_aws::{AwsCloud, Credentials, Settings};
use wavegate_config::{Manifest, Target};
use wavegate_core::inventory::Inventory;
use wavegate_core::spec::AppSpec;
use wavegate_engine::clock::ScaledClock;
use wavegate_engine::conformance::TestBench;
use wavegate_engine::ports::{Clock, Cloud, Deployments, Existing, Surroundings};
use wavegate_engine::{Engine, World};
use wavegate_local::{LocalCloud, LocalError, Options, Running};
use wavegate_plugin_sdk::CloudAccess;

use crate::adapter::{PluginAlarms, PluginHooks, PluginStrategies, Veiled};
use crate::console;
use crate::environment::Environment;
use crate::error::CliError;
use crate::fault;
use crate::home;
use crate::http::Loopback;
use crate::registry::Registry;
use crate::release;

/// An open target.
pub(crate) struct Stage {
    /// The engine.
    pub(crate) engine: Engine,
    /// The cloud port, for single reads beside the engine.
    pub(crate) cloud: Arc<dyn Cloud>,
    /// What stands around the functions, for a doctor.
    pub(crate) around: Arc<dyn Surroundings>,
    /// The functions as a whole, for who writes a manifest of them.
    pub(crate) existing: Arc<dyn Existing>,
    /// The release's clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// The local cloud's client; `None` on AWS.
    pub(crate) loopback: Option<Loopback>,
    /// Where calls go, in words.
    pub(crate) endpoint: String,
    region: String,
    /// The role of some function.
    role: Option<String>,
    embedded: Option<LocalCloud>,
    registry: Arc<Registry>,
}

impl Stage {
    /// Opens what the manifest's target says, with the components of these plugins.
    pub(crate) async fn open(
        manifest: &Manifest,
        registry: Arc<Registry>,
        environment: &Environment,
    ) -> Result<Self, CliError> {
        match manifest.target {
            Target::Local => Box::pin(open_local(manifest, registry)).await,
            Target::Aws => Box::pin(open_aws(manifest, registry, environment)).await,
        }
    }

    /// Opens it for those who only look: without any component.
    pub(crate) async fn open_bare(
        manifest: &Manifest,
        environment: &Environment,
    ) -> Result<Self, CliError> {
        Self::open(manifest, Arc::new(Registry::empty()), environment).await
    }

    /// What is there of an app now.
    pub(crate) async fn observe(&self, app: &AppSpec) -> Result<Inventory, CliError> {
        self.engine.observe(app).await.map_err(|error| fault::engine(&error, &self.endpoint))
    }

    /// The target in words that are the same for every release on it: recordings are told apart
    /// by them.
    pub(crate) fn words(&self, inventory: &Inventory) -> String {
        if self.loopback.is_some() {
            return LOCAL.to_owned();
        }
        // Before the first deploy there is no function to ask; its role lives in the same account.
        let arns = inventory.functions.values().map(|function| function.arn.as_str());
        let arn = arns.chain(self.role.as_deref()).next();
        let in_arn = arn.and_then(|arn| arn.split(':').nth(4)).filter(|id| !id.is_empty());
        match inventory.account.as_deref().or(in_arn) {
            Some(account) => format!("AWS account {account}, {}", self.region),
            None => format!("AWS, {}", self.region),
        }
    }

    /// Ends the plugins, then an embedded cloud, in order.
    pub(crate) async fn close(self) {
        self.registry.close().await;
        if let Some(cloud) = self.embedded {
            cloud.shutdown().await;
        }
    }
}

/// The local cloud in words.
const LOCAL: &str = "local cloud";

/// Whether a release that ran on `words` ran where this manifest deploys, as far as that can be
/// told without asking anybody.
pub(crate) fn is_of(manifest: &Manifest, words: &str) -> bool {
    match (manifest.target, &manifest.region) {
        (Target::Local, _) => words == LOCAL,
        (Target::Aws, Some(region)) => words.starts_with("AWS") && words.ends_with(region.as_str()),
        (Target::Aws, None) => words.starts_with("AWS"),
    }
}

/// Where the local cloud of a manifest keeps its state.
pub(crate) fn local_state(manifest: &Manifest) -> PathBuf {
    manifest.dir.join(home::NAME).join("local")
}

/// How the local cloud is started for a manifest, or without any.
pub(crate) fn local_options(state: PathBuf, manifest: Option<&Manifest>) -> Options {
    let mut options = Options::new(state);
    if let Some(manifest) = manifest {
        options.port = manifest.local.port;
        options.time_scale = manifest.local.time_scale;
        options.requests_per_second = manifest.local.requests_per_second;
        options.check_roles = manifest.local.check_roles;
        if let Some(region) = &manifest.region {
            options.region.clone_from(region);
        }
    }
    options
}

async fn open_local(manifest: &Manifest, registry: Arc<Registry>) -> Result<Stage, CliError> {
    let options = local_options(local_state(manifest), Some(manifest));
    let found = find_or_start(options, manifest.region.as_deref()).await?;
    if (found.time_scale - manifest.local.time_scale).abs() > f64::EPSILON {
        console::note(&format!(
            "the local cloud that runs has time_scale {}, not {} as the manifest says",
            found.time_scale, manifest.local.time_scale
        ));
    }
    let loopback = Loopback::new(&found.url, &found.region);
    let clock = match &found.embedded {
        Some(cloud) => scaled(cloud.clock().now_ms(), found.time_scale),
        None => clock_of(&loopback).await?,
    };
    let settings = Settings {
        region: Some(found.region.clone()),
        endpoint_url: Some(found.url.clone()),
        credentials: Credentials::Local,
        ..Settings::default()
    };
    let cloud = AwsCloud::connect(settings).await.map_err(|error| fault::connect(&error))?;
    let access = CloudAccess {
        region: found.region.clone(),
        endpoint_url: Some(found.url.clone()),
        local: true,
        ..CloudAccess::default()
    };
    Ok(Stage {
        loopback: Some(loopback),
        embedded: found.embedded,
        ..stage(manifest, registry, Arc::new(cloud), Arc::new(clock), access, found.url)
    })
}

/// A local cloud to use.
pub(crate) struct Found {
    /// Where it listens.
    pub(crate) url: String,
    /// How fast its clock is.
    pub(crate) time_scale: f64,
    /// The region to use of it.
    pub(crate) region: String,
    /// The cloud itself, when it runs in this process.
    pub(crate) embedded: Option<LocalCloud>,
}

impl Found {
    fn running(running: Running, region: Option<&str>) -> Self {
        let Running { url, time_scale, region: first, .. } = running;
        let region = region.map_or(first, str::to_owned);
        Self { url, time_scale, region, embedded: None }
    }
}

/// The cloud that runs on the state directory, else one in this process; its first region, unless another
/// is asked for.
pub(crate) async fn find_or_start(
    options: Options,
    region: Option<&str>,
) -> Result<Found, CliError> {
    if let Some(running) = wavegate_local::running(&options.state_dir) {
        return Ok(Found::running(running, region));
    }
    if let Some(parent) = options.state_dir.parent().filter(|dir| dir.ends_with(home::NAME)) {
        home::prepare(parent);
    }
    let time_scale = options.time_scale;
    let wanted = region.map_or_else(|| options.region.clone(), str::to_owned);
    match LocalCloud::start(options).await {
        Ok(cloud) => {
            let url = cloud.url().to_owned();
            Ok(Found { url, time_scale, region: wanted, embedded: Some(cloud) })
        }
        // Somebody was faster between the look and the start.
        Err(LocalError::AlreadyRunning { running: Some(running), .. }) => {
            Ok(Found::running(running, region))
        }
        Err(error) => Err(fault::local(&error)),
    }
}

async fn clock_of(loopback: &Loopback) -> Result<ScaledClock, CliError> {
    let status = loopback.status().await.map_err(|error| fault::http(&error))?;
    let now = status["now_ms"].as_i64();
    let scale = status["time_scale"].as_f64();
    match (now, scale) {
        (Some(now), Some(scale)) => Ok(scaled(now, scale)),
        _ => Err(CliError::bug("the local cloud does not tell its time")),
    }
}

fn scaled(now_ms: i64, scale: f64) -> ScaledClock {
    ScaledClock::starting_at(u64::try_from(now_ms).unwrap_or_default(), scale)
}

async fn open_aws(
    manifest: &Manifest,
    registry: Arc<Registry>,
    environment: &Environment,
) -> Result<Stage, CliError> {
    let settings = Settings { region: manifest.region.clone(), ..Settings::default() };
    let cloud = AwsCloud::connect(settings).await.map_err(|error| fault::connect(&error))?;
    let access = access(cloud.region(), environment);
    let endpoint = lambda_url(&access);
    Ok(stage(manifest, registry, Arc::new(cloud), Arc::new(ScaledClock::real()), access, endpoint))
}

/// Where Lambda's calls go.
fn lambda_url(access: &CloudAccess) -> String {
    access
        .lambda_endpoint()
        .map_or_else(|| format!("https://lambda.{}.amazonaws.com", access.region), str::to_owned)
}

/// How hooks and alarms reach AWS: the same region and endpoints as the engine.
fn access(region: &str, environment: &Environment) -> CloudAccess {
    let ignored = environment
        .get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let endpoint = |name| {
        environment.get(name).filter(|_| !ignored).map(|url| url.trim_end_matches('/').to_owned())
    };
    CloudAccess {
        region: region.to_owned(),
        endpoint_url: endpoint("AWS_ENDPOINT_URL"),
        cloudwatch_endpoint_url: endpoint("AWS_ENDPOINT_URL_CLOUDWATCH"),
        lambda_endpoint_url: endpoint("AWS_ENDPOINT_URL_LAMBDA"),
        local: false,
    }
}

fn stage(
    manifest: &Manifest,
    registry: Arc<Registry>,
    cloud: Arc<AwsCloud>,
    clock: Arc<dyn Clock>,
    access: CloudAccess,
    endpoint: String,
) -> Stage {
    let region = access.region.clone();
    let around: Arc<dyn Surroundings> = Arc::<AwsCloud>::clone(&cloud);
    let deployments: Arc<dyn Deployments> = Arc::<AwsCloud>::clone(&cloud);
    let existing: Arc<dyn Existing> = Arc::<AwsCloud>::clone(&cloud);
    let cloud: Arc<dyn Cloud> = cloud;
    let hooks = PluginHooks::new(Arc::clone(&registry), access.clone());
    let alarms = PluginAlarms::new(Arc::clone(&registry), access);
    let world = World {
        cloud: Arc::clone(&cloud),
        deployments,
        strategies: Arc::new(PluginStrategies::new(Arc::clone(&registry))),
        hooks: Arc::new(Veiled::new(hooks, release::veil(manifest))),
        alarms: Arc::new(Veiled::new(alarms, release::veil(manifest))),
        clock: Arc::clone(&clock),
    };
    let settings = wavegate_engine::Settings {
        requests_per_second: manifest.requests_per_second,
        artifact_bucket: manifest.artifact_bucket.clone(),
    };
    let engine = Engine::new(world, settings);
    let role = manifest.app.functions.values().next().map(|function| function.config.role.clone());
    Stage {
        engine,
        cloud,
        around,
        existing,
        clock,
        loopback: None,
        endpoint,
        region,
        role,
        embedded: None,
        registry,
    }
}

/// An endpoint to try things on, with no app and no engine.
pub(crate) struct Endpoint {
    /// Its functions.
    pub(crate) bench: Arc<dyn TestBench>,
    /// The wall's clock: what is measured here is measured in its seconds.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where calls go, in words.
    pub(crate) url: String,
    embedded: Option<LocalCloud>,
}

impl Endpoint {
    /// A local cloud of this process, which its owner ends.
    pub(crate) async fn of(cloud: &LocalCloud) -> Result<Self, CliError> {
        Self::local(cloud.url().to_owned(), None, None).await
    }

    async fn local(
        url: String,
        region: Option<String>,
        embedded: Option<LocalCloud>,
    ) -> Result<Self, CliError> {
        let settings = Settings {
            region,
            endpoint_url: Some(url.clone()),
            credentials: Credentials::Local,
            ..Settings::default()
        };
        let cloud = AwsCloud::connect(settings).await.map_err(|error| fault::connect(&error))?;
        Ok(Self { bench: Arc::new(cloud), clock: Arc::new(ScaledClock::real()), url, embedded })
    }

    /// Ends an embedded cloud in order.
    pub(crate) async fn close(self) {
        if let Some(cloud) = self.embedded {
            cloud.shutdown().await;
        }
    }
}

/// The endpoint that a manifest, or none, leads to.
pub(crate) async fn endpoint(
    target: Target,
    manifest: Option<&Manifest>,
    directory: &std::path::Path,
    environment: &Environment,
) -> Result<Endpoint, CliError> {
    match target {
        Target::Local => {
            let state = directory.join(home::NAME).join("local");
            let region = manifest.and_then(|manifest| manifest.region.as_deref());
            let found = find_or_start(local_options(state, manifest), region).await?;
            Endpoint::local(found.url, Some(found.region), found.embedded).await
        }
        Target::Aws => {
            let region = manifest.and_then(|manifest| manifest.region.clone());
            let settings = Settings { region, ..Settings::default() };
            let cloud =
                AwsCloud::connect(settings).await.map_err(|error| fault::connect(&error))?;
            let url = lambda_url(&access(cloud.region(), environment));
            let clock = Arc::new(ScaledClock::real());
            Ok(Endpoint { bench: Arc::new(cloud), clock, url, embedded: None })
        }
    }
}
