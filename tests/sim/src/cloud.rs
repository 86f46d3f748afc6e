//! The cloud: the local cloud's own model of Lambda, called as pure code, with a history that stale
//! reads are answered from. What strikes, and when, is decided elsewhere.

use std::collections::BTreeMap;

use wavegate_core::inventory::{
    AliasState, ExtraVersion, Inventory, Latest, ObservedFunction, ObservedVersion,
};
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::release::CloudOp;
use wavegate_core::spec::AppSpec;
use wavegate_core::weight::Weight;
use wavegate_local::ids::Ids;
use wavegate_local::lambda::error::ApiError;
use wavegate_local::lambda::input;
use wavegate_local::lambda::model::Lambda;
use wavegate_local::lambda::output::AliasConfiguration;

use crate::app::{App, Before, Kind, ODD, STABLE, code, config};
use crate::rng::mix;

/// The oldest state that a read may show.
pub(crate) const STALE: u64 = 20_000;

/// How long AWS takes to make a version active, in milliseconds.
const SETTLE_MS: i64 = 1_000;

/// Which alias of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Live,
    Lock,
    Pin,
}

impl Role {
    fn alias(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Lock => "wavegate-live",
            Self::Pin => "wavegate-live-prev",
        }
    }
}

/// One alias of one function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) function: FunctionName,
    pub(crate) role: Role,
}

impl Place {
    pub(crate) fn live(function: &FunctionName) -> Self {
        Self { function: function.clone(), role: Role::Live }
    }

    pub(crate) fn pin(function: &FunctionName) -> Self {
        Self { function: function.clone(), role: Role::Pin }
    }
}

/// Ids that never repeat and cost nothing.
#[derive(Debug)]
struct Numbers(u64);

impl Ids for Numbers {
    fn uuid(&mut self) -> String {
        self.0 += 1;
        format!("r{}", self.0)
    }

    fn unit(&mut self) -> f64 {
        self.0 += 1;
        f64::from(u32::try_from(mix(self.0) >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

/// The cloud.
#[derive(Debug)]
pub(crate) struct Cloud {
    lambda: Lambda,
    ids: Numbers,
    history: BTreeMap<Place, Vec<(u64, Option<AliasState>)>>,
    /// When each function was created.
    created: BTreeMap<FunctionName, u64>,
}

fn stamp(now: u64) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// The user's own description of a live alias.
pub(crate) fn own_text(function: &FunctionName) -> String {
    format!("text of {function}")
}

impl Cloud {
    /// The cloud before the story begins.
    pub(crate) fn with(app: &App) -> Self {
        let mut cloud = Self {
            lambda: Lambda::new("us-east-1", "000000000000", SETTLE_MS),
            ids: Numbers(100),
            history: BTreeMap::new(),
            created: BTreeMap::new(),
        };
        for (name, part) in &app.parts {
            if part.before == Before::Nothing {
                continue;
            }
            let made = cloud.publish(0, name, &code(name, "odd"));
            assert_eq!(made, Ok(ODD), "the first version of {name}");
            let made = cloud.publish(10_000, name, &code(name, "stable"));
            assert_eq!(made, Ok(STABLE), "the second version of {name}");
            if part.before == Before::Serving {
                let op = CloudOp::Create { version: Some(STABLE), description: own_text(name) };
                let made = cloud.apply(20_000, &Place::live(name), &op);
                assert!(made.is_ok(), "{made:?}");
            }
        }
        cloud
    }

    /// The version to go to, for each function of a switch.
    pub(crate) fn targets(app: &App) -> BTreeMap<FunctionName, VersionId> {
        match app.kind {
            Kind::Switch => app.parts.keys().map(|name| (name.clone(), ODD)).collect(),
            Kind::Deploy => BTreeMap::new(),
        }
    }

    /// Publishes a version of some code, as one call. The same code gives the same version.
    pub(crate) fn publish(
        &mut self,
        now: u64,
        function: &FunctionName,
        sha256: &str,
    ) -> Result<VersionId, ApiError> {
        let code = input::Code::Zip { sha256: sha256.to_owned(), size: 1_000 };
        let (lambda, ids) = (&mut self.lambda, &mut self.ids);
        let made = if lambda.record(function.as_str()).is_none() {
            let wanted = config();
            let input = input::CreateFunction {
                function_name: function.to_string(),
                publish: true,
                configuration: input::ConfigurationInput {
                    runtime: wanted.runtime,
                    role: Some(wanted.role),
                    handler: wanted.handler,
                    ..input::ConfigurationInput::default()
                },
                ..input::CreateFunction::default()
            };
            self.created.insert(function.clone(), now);
            lambda.create_function(stamp(now), ids, input, code)?
        } else {
            let input =
                input::UpdateFunctionCode { publish: true, ..input::UpdateFunctionCode::default() };
            lambda.update_function_code(stamp(now), ids, function.as_str(), &input, code)?
        };
        let version = VersionId::parse(&made.version);
        version.ok_or_else(|| ApiError::service("a version without a number"))
    }

    /// Whether a version is there and takes traffic.
    pub(crate) fn is_active(&self, now: u64, function: &FunctionName, version: VersionId) -> bool {
        let record = self.lambda.record(function.as_str());
        record.and_then(|record| record.versions.get(&version.0)).is_some_and(|version| {
            let is_due = |at: i64| at <= stamp(now);
            version.creating.as_ref().is_none_or(|creating| is_due(creating.done_at_ms))
                && version.updating.as_ref().is_none_or(|update| is_due(update.end.done_at_ms))
        })
    }

    /// The published versions of a function.
    pub(crate) fn versions(&self, function: &FunctionName) -> Vec<VersionId> {
        let record = self.lambda.record(function.as_str());
        record.map(|r| r.versions.keys().copied().map(VersionId).collect()).unwrap_or_default()
    }

    /// Every alias of a function.
    pub(crate) fn aliases(&self, function: &FunctionName) -> Vec<AliasState> {
        [Role::Live, Role::Lock, Role::Pin]
            .into_iter()
            .filter_map(|role| self.state(&Place { function: function.clone(), role }).cloned())
            .collect()
    }

    /// Deletes a version, unless an alias names it.
    pub(crate) fn delete_version(
        &mut self,
        now: u64,
        function: &FunctionName,
        version: VersionId,
    ) -> Result<(), ApiError> {
        let version = version.to_string();
        self.lambda.delete_function(stamp(now), function.as_str(), Some(&version))
    }

    /// What an alias is.
    pub(crate) fn state(&self, place: &Place) -> Option<&AliasState> {
        self.history.get(place)?.last()?.1.as_ref()
    }

    /// What an alias was, so many milliseconds ago.
    pub(crate) fn state_before(&self, now: u64, place: &Place, age: u64) -> Option<AliasState> {
        let as_of = now.saturating_sub(age);
        let history = self.history.get(place)?;
        history.iter().rev().find(|(at, _)| *at <= as_of).and_then(|(_, state)| state.clone())
    }

    /// Whether an alias once had this revision and this description.
    pub(crate) fn was(&self, place: &Place, revision: &str, description: &str) -> bool {
        self.history.get(place).is_some_and(|history| {
            history.iter().any(|(_, state)| {
                state
                    .as_ref()
                    .is_some_and(|s| s.revision == revision && s.description == description)
            })
        })
    }

    /// The lock alias, wherever it is.
    pub(crate) fn lock(&self) -> Option<(&Place, &AliasState)> {
        let mut places = self.history.keys().filter(|place| place.role == Role::Lock);
        places.find_map(|place| Some((place, self.state(place)?)))
    }

    /// One write, applied now.
    pub(crate) fn apply(
        &mut self,
        now: u64,
        place: &Place,
        op: &CloudOp,
    ) -> Result<Option<AliasState>, ApiError> {
        let (name, alias) = (place.function.as_str(), place.role.alias());
        let (lambda, ids, at) = (&mut self.lambda, &mut self.ids, stamp(now));
        let after = match op {
            CloudOp::Get => return Ok(self.state(place).cloned()),
            CloudOp::Create { version, description } => {
                let version = version.map_or_else(|| "$LATEST".to_owned(), |v| v.to_string());
                let input = input::CreateAlias {
                    name: alias.to_owned(),
                    function_version: version,
                    description: Some(description.clone()),
                    routing_config: None,
                };
                Some(state(&lambda.create_alias(at, ids, name, input)?))
            }
            CloudOp::Update { base, routing, description } => {
                let input = input::UpdateAlias {
                    function_version: routing.map(|(main, _)| main.to_string()),
                    description: Some(description.clone()),
                    routing_config: routing.map(|(_, extra)| weights(extra)),
                    revision_id: Some(base.clone()),
                };
                Some(state(&lambda.update_alias(at, ids, name, alias, input)?))
            }
            CloudOp::Delete => {
                lambda.delete_alias(at, name, alias)?;
                None
            }
        };
        self.remember(now, place, after.clone());
        Ok(after)
    }

    /// Somebody else's change, without a revision id; what is left out stays.
    pub(crate) fn overwrite(
        &mut self,
        now: u64,
        place: &Place,
        routing: Option<(VersionId, Option<ExtraVersion>)>,
        description: Option<String>,
    ) -> Result<AliasState, ApiError> {
        let input = input::UpdateAlias {
            function_version: routing.map(|(main, _)| main.to_string()),
            description,
            routing_config: routing.map(|(_, extra)| weights(extra)),
            revision_id: None,
        };
        let (name, alias) = (place.function.as_str(), place.role.alias());
        let after =
            state(&self.lambda.update_alias(stamp(now), &mut self.ids, name, alias, input)?);
        self.remember(now, place, Some(after.clone()));
        Ok(after)
    }

    fn remember(&mut self, now: u64, place: &Place, state: Option<AliasState>) {
        self.history.entry(place.clone()).or_default().push((now, state));
    }

    /// What one look at the whole app shows that was taken at `now`; `age` is drawn for every alias.
    pub(crate) fn observe(
        &self,
        now: u64,
        spec: &AppSpec,
        mut age: impl FnMut() -> u64,
    ) -> Inventory {
        let mut inventory = Inventory { taken_at_ms: now, ..Inventory::default() };
        for (key, function) in &spec.functions {
            let name = &function.lambda_name;
            if self.created.get(name).is_none_or(|at| *at > now) {
                continue;
            }
            let aliases: Vec<AliasState> = [Role::Live, Role::Lock, Role::Pin]
                .into_iter()
                .filter_map(|role| {
                    let place = Place { function: name.clone(), role };
                    self.state_before(now, &place, age())
                })
                .collect();
            let live = aliases.iter().find(|alias| alias.name == spec.alias.as_str());
            let served = self.served(name, live.and_then(AliasState::main));
            let observed = ObservedFunction {
                arn: format!("arn:{name}"),
                aliases,
                served,
                latest: Latest::Unasked,
            };
            inventory.functions.insert(key.clone(), observed);
        }
        inventory
    }

    /// One version's code; `None`: `$LATEST`'s.
    fn served(&self, function: &FunctionName, version: Option<VersionId>) -> ObservedVersion {
        let record = self.lambda.record(function.as_str());
        let found = record.map(|record| {
            let numbered = version.and_then(|version| record.versions.get(&version.0));
            numbered.unwrap_or(&record.latest).code.sha256().to_owned()
        });
        ObservedVersion {
            version,
            code_sha256: found.unwrap_or_default(),
            image_uri: None,
            config: config(),
        }
    }

    /// Looks anew at what each live alias of an inventory serves.
    pub(crate) fn look_up_served(&self, spec: &AppSpec, inventory: &mut Inventory) {
        for (key, observed) in &mut inventory.functions {
            let version = observed.alias(&spec.alias).and_then(AliasState::main);
            observed.served = self.served(key, version);
        }
    }
}

fn weights(extra: Option<ExtraVersion>) -> input::RoutingConfig {
    let weights = extra.map(|e| (e.version.to_string(), e.weight.to_share())).into_iter().collect();
    input::RoutingConfig { additional_version_weights: Some(weights) }
}

/// An alias as the model shows it, in the core's words.
fn state(alias: &AliasConfiguration) -> AliasState {
    let weights = alias.routing_config.as_ref().and_then(|r| r.additional_version_weights.as_ref());
    let extra =
        weights.and_then(|weights| weights.first_key_value()).and_then(|(version, share)| {
            Some(ExtraVersion {
                version: VersionId::parse(version)?,
                weight: Weight::from_share(*share)?,
            })
        });
    AliasState {
        name: alias.name.clone(),
        version: alias.function_version.clone(),
        extra,
        description: alias.description.clone(),
        revision: alias.revision_id.clone(),
    }
}
