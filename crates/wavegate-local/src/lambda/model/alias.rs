//! Aliases: a compare-and-swap register of two versions, a weight and a description.

use super::record::{AliasRecord, FunctionRecord, version_number};
use super::{Lambda, page};
use crate::ids::Ids;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::input::{CreateAlias, RoutingConfig, UpdateAlias};
use crate::lambda::name::{Home, LATEST, is_word};
use crate::lambda::output::{AliasConfiguration, Page};

const ALIAS_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
const VERSION_PATTERN: &str = "(\\$LATEST|[0-9]+)";
const KEYS: &str = "Map keys must satisfy constraint: [Member must have length less than or equal to \
                    1024, Member must have length greater than or equal to 1, Member must satisfy \
                    regular expression pattern: [0-9]+, Member must not be null]";
const WEIGHTS: &str = "Map value must satisfy constraint: [Member must have value less than or equal \
                       to 1.0, Member must have value greater than or equal to 0.0, Member must not \
                       be null]";
/// AWS: characters of an alias's description.
const DESCRIPTION_MAX: usize = 256;

impl Lambda {
    /// `CreateAlias`.
    pub fn create_alias(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        input: CreateAlias,
    ) -> Result<AliasConfiguration, ApiError> {
        let name = self.unqualified(name)?;
        let mut constraints = Constraints::default();
        check_alias_name(&input.name, &mut constraints);
        let version = Some(input.function_version.as_str());
        check_fields(
            version,
            input.description.as_deref(),
            input.routing_config.as_ref(),
            &mut constraints,
        );
        constraints.finish()?;
        let additional = additional(input.routing_config.as_ref())?;
        let home = self.home.clone();
        let Some(function) = self.functions.get(&name) else {
            let qualifier = version.filter(|version| *version != LATEST);
            return Err(ApiError::no_function(&home.arn(&name, qualifier)));
        };
        check_versions(&home, function, &input.function_version, additional.as_ref())?;
        if function.aliases.contains_key(&input.name) {
            let arn = home.arn(&name, Some(&input.name));
            return Err(ApiError::conflict(format!("Alias already exists: {arn}")));
        }
        let alias = AliasRecord {
            name: input.name.clone(),
            function_version: input.function_version,
            description: input.description.unwrap_or_default(),
            additional,
            revision_id: ids.uuid(),
            settling: None,
        };
        let shown = show(&home, &name, &alias);
        self.function_mut(now, &name)?.aliases.insert(input.name, alias);
        Ok(shown)
    }

    /// `GetAlias`.
    pub fn get_alias(&self, name: &str, alias: &str) -> Result<AliasConfiguration, ApiError> {
        let name = self.unqualified(name)?;
        check_given_name(alias)?;
        let found = self.functions.get(&name).and_then(|function| function.aliases.get(alias));
        found.map(|alias| show(&self.home, &name, alias)).ok_or_else(|| {
            let arn = self.home.arn(&name, Some(alias));
            ApiError::not_found(format!("Cannot find alias arn: {arn}"))
        })
    }

    /// `UpdateAlias`: every call that is accepted gives the alias a new revision id, also one that
    /// changes nothing (recorded on AWS).
    pub fn update_alias(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        alias: &str,
        input: UpdateAlias,
    ) -> Result<AliasConfiguration, ApiError> {
        let name = self.unqualified(name)?;
        check_given_name(alias)?;
        let mut constraints = Constraints::default();
        check_fields(
            input.function_version.as_deref(),
            input.description.as_deref(),
            input.routing_config.as_ref(),
            &mut constraints,
        );
        constraints.finish()?;
        let home = self.home.clone();
        let missing = || {
            let arn = home.arn(&name, Some(alias));
            ApiError::not_found(format!("Alias not found: {arn}"))
        };
        self.advance(now);
        let function = self.functions.get(&name).ok_or_else(missing)?;
        let mut changed = function.aliases.get(alias).ok_or_else(missing)?.clone();
        if input.revision_id.is_some_and(|given| given != changed.revision_id) {
            return Err(ApiError::precondition("GetFunction/GetAlias"));
        }
        let left = changed.function_version.clone();
        if let Some(version) = input.function_version {
            changed.function_version = version;
        }
        if let Some(description) = input.description {
            changed.description = description;
        }
        // While AWS is on its detour, weights that are cleared once more change nothing.
        let weights = additional(input.routing_config.as_ref())?;
        let stays = changed.settling.is_some() && left == changed.function_version;
        if input.routing_config.is_some() && !(stays && weights.is_none()) {
            changed.additional = weights;
            changed.settling = None;
        }
        let function = self.functions.get(&name).ok_or_else(missing)?;
        let versions = (&changed.function_version, changed.additional.as_ref());
        check_versions(&home, function, versions.0, versions.1)?;
        self.detour(now, ids, &name, &left, &mut changed);
        changed.revision_id = ids.uuid();
        let shown = show(&home, &name, &changed);
        self.function_mut(now, &name)?.aliases.insert(alias.to_owned(), changed);
        Ok(shown)
    }

    /// `DeleteAlias`. An absent alias, also of an absent function, is no error.
    pub fn delete_alias(&mut self, now: i64, name: &str, alias: &str) -> Result<(), ApiError> {
        let name = self.unqualified(name)?;
        check_given_name(alias)?;
        if let Ok(function) = self.function_mut(now, &name) {
            function.aliases.remove(alias);
            function.policies.remove(alias);
            function.beside.forget(alias);
        }
        Ok(())
    }

    /// `ListAliases`, of all versions or of those that `version` is part of.
    pub fn list_aliases(
        &self,
        name: &str,
        version: Option<&str>,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<AliasConfiguration>, ApiError> {
        let name = self.unqualified(name)?;
        let items = self
            .function(&name)?
            .aliases
            .values()
            .filter(|alias| version.is_none_or(|version| alias.references(version)))
            .map(|alias| (alias.name.clone(), alias));
        Ok(page(items, marker, max_items, |alias| show(&self.home, &name, alias)))
    }
}

fn show(home: &Home, function: &str, alias: &AliasRecord) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: home.arn(function, Some(&alias.name)),
        name: alias.name.clone(),
        function_version: alias.function_version.clone(),
        description: alias.description.clone(),
        routing_config: alias.additional.as_ref().map(|(version, weight)| RoutingConfig {
            additional_version_weights: Some([(version.clone(), *weight)].into()),
        }),
        revision_id: alias.revision_id.clone(),
    }
}

fn check_given_name(alias: &str) -> Result<(), ApiError> {
    let mut constraints = Constraints::default();
    check_alias_name(alias, &mut constraints);
    constraints.finish()
}

fn check_alias_name(name: &str, constraints: &mut Constraints) {
    let ok = !name.is_empty()
        && name.bytes().all(is_word)
        && !name.bytes().all(|byte| byte.is_ascii_digit());
    constraints.pattern("name", name, ok, ALIAS_PATTERN);
    constraints.max_length("name", name, 128);
}

fn check_fields(
    version: Option<&str>,
    description: Option<&str>,
    routing: Option<&RoutingConfig>,
    constraints: &mut Constraints,
) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(version) = version {
        let ok = version == LATEST || is_number(version);
        constraints.pattern("functionVersion", version, ok, VERSION_PATTERN);
    }
    if let Some(description) = description {
        constraints.max_length("description", description, DESCRIPTION_MAX);
    }
    let Some(weights) = routing.and_then(|routing| routing.additional_version_weights.as_ref())
    else {
        return;
    };
    let field = "routingConfig.additionalVersionWeights";
    // AWS prints the whole map, as Java does.
    let pairs: Vec<String> =
        weights.iter().map(|(version, weight)| format!("{version}={weight:?}")).collect();
    let shown = format!("{{{}}}", pairs.join(", "));
    if !weights.keys().all(|version| is_number(version)) {
        constraints.broken(field, &shown, KEYS);
    }
    if !weights.values().all(|weight| (0.0..=1.0).contains(weight)) {
        constraints.broken(field, &shown, WEIGHTS);
    }
}

/// The one additional version of a routing config whose numbers were checked.
fn additional(routing: Option<&RoutingConfig>) -> Result<Option<(String, f64)>, ApiError> {
    let weights = routing.and_then(|routing| routing.additional_version_weights.as_ref());
    let Some(weights) = weights else { return Ok(None) };
    if weights.len() > 1 {
        return Err(ApiError::invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    Ok(weights.first_key_value().map(|(version, weight)| (version.clone(), *weight)))
}

fn check_versions(
    home: &Home,
    function: &FunctionRecord,
    main: &str,
    additional: Option<&(String, f64)>,
) -> Result<(), ApiError> {
    let find = |version: &str| {
        function
            .version(version)
            .ok_or_else(|| ApiError::no_function(&home.arn(&function.name, Some(version))))
    };
    let Some((extra, _)) = additional else {
        return find(main).map(|_| ());
    };
    if main == LATEST {
        let why = "$LATEST is not supported for an alias pointing to more than 1 version";
        return Err(ApiError::invalid(why).nobodys());
    }
    if version_number(extra).is_some() && version_number(extra) == version_number(main) {
        return Err(ApiError::invalid(format!(
            "Invalid function version {extra}. Function version {extra} is already included in \
             routing configuration."
        )));
    }
    let (first, second) = (&find(main)?.configuration, &find(extra)?.configuration);
    // AWS documents both rules; its wording is not recorded.
    if first.role != second.role {
        return Err(ApiError::invalid(format!(
            "Function versions {main} and {extra} must be associated with the same execution role"
        )));
    }
    if first.dead_letter_target != second.dead_letter_target {
        return Err(ApiError::invalid(format!(
            "Function versions {main} and {extra} must have the same dead-letter configuration, \
             or none"
        )));
    }
    Ok(())
}
