//! The measurements.

use std::time::Duration;

use futures_util::future::{join, join_all};
use wavegate_core::inventory::{AliasState, ExtraVersion};
use wavegate_core::name::VersionId;
use wavegate_core::release::Priority;
use wavegate_core::token::DESCRIPTION_MAX;
use wavegate_core::weight::Weight;

use super::{ASK_EVERY, Bench, Shown};
use crate::caller::{Quota, Retry};
use crate::ports::{AliasUpdate, CloudError, FaultKind};

/// So many writes are looked for.
const WRITES: u32 = 3;

/// The longest that a write is looked for.
const STALE_LIMIT: Duration = Duration::from_secs(30);

/// What the protocol assumes. Source: the staleness that the release machine is built for.
const STALE_MAX: Duration = Duration::from_secs(20);

/// So many pairs of updates race.
const RACES: u32 = 2;

/// So many updates at once: more than the quota of a second, and far fewer than an app's release.
const BURST: usize = 17;

/// How long provisioned concurrency may take, each time. Terraform waits as long.
const PROVISIONED_WITHIN: Duration = Duration::from_mins(15);

/// How often that is asked.
const PROVISIONED_EVERY: Duration = Duration::from_secs(2);

impl Bench {
    pub(super) async fn staleness(&self) -> Result<Shown, CloudError> {
        let (mut stale_reads, mut longest) = (0_u32, Duration::ZERO);
        let mut base = self.read().await?;
        for number in 0..WRITES {
            let text = format!("write {number}");
            let written = self.describe(&base, &text).await?;
            let began = self.clock.now_ms();
            loop {
                let seen = self.read().await?;
                let passed = Duration::from_millis(self.clock.now_ms().saturating_sub(began))
                    .div_f64(self.clock.scale());
                if seen.description == text && seen.revision == written.revision {
                    base = seen;
                    break;
                }
                stale_reads += 1;
                longest = longest.max(passed);
                if passed > STALE_LIMIT {
                    let detail =
                        format!("write {number} was not shown within {} s", passed.as_secs());
                    return Ok(Shown::seen("not within 30 s", detail, Some(false)));
                }
                self.sleep(ASK_EVERY / 5).await;
            }
        }
        let detail = if stale_reads == 0 {
            format!("{WRITES} writes, each shown by the first read after it")
        } else {
            format!(
                "{WRITES} writes, {stale_reads} stale reads, the last {} ms after its write",
                longest.as_millis()
            )
        };
        let verdict = if stale_reads == 0 { "at once" } else { "after a while" };
        Ok(Shown::seen(verdict, detail, Some(longest <= STALE_MAX)))
    }

    pub(super) async fn compare_and_swap(&self) -> Result<Shown, CloudError> {
        let mut wins = Vec::new();
        let mut base = self.read().await?;
        let old = base.clone();
        for race in 0..RACES {
            let (left, right) = (format!("left {race}"), format!("right {race}"));
            let (a, b) = join(self.describe(&base, &left), self.describe(&base, &right)).await;
            let mut won = 0;
            for outcome in [a, b] {
                match outcome {
                    Ok(_) => won += 1,
                    Err(error) if error.kind == FaultKind::Precondition => {}
                    Err(error) => return Err(error),
                }
            }
            wins.push(won);
            if race + 1 < RACES {
                base = self.read().await?;
            }
        }
        let stale = self.describe(&old, "under a stale revision").await;
        let is_refused = match stale {
            Ok(_) => false,
            Err(error) if error.kind == FaultKind::Precondition => true,
            Err(error) => return Err(error),
        };
        let is_one = wins.iter().all(|won| *won == 1);
        let detail = format!(
            "{RACES} races, {} of the two updates succeeded; a stale RevisionId is {}",
            wins.iter().map(u32::to_string).collect::<Vec<_>>().join(" and "),
            if is_refused { "refused (412)" } else { "accepted" }
        );
        let verdict = match (is_one, is_refused) {
            (true, true) => "exactly one",
            (_, false) => "RevisionId is not enforced",
            (false, true) => "not exactly one",
        };
        Ok(Shown::seen(verdict, detail, Some(is_one && is_refused)))
    }

    pub(super) async fn revision_changes(&self) -> Result<Shown, CloudError> {
        let before = self.read().await?;
        self.describe(&before, &before.description).await?;
        let updated = self.read().await?;
        let is_changed = updated.revision != before.revision;
        let mut changing = Vec::new();
        let mut keeping = Vec::new();
        let mut unknown = Vec::new();
        let mut sort = |what: &str, changed: bool| {
            if changed { &mut changing } else { &mut keeping }.push(what.to_owned());
        };
        sort("an UpdateAlias that changes nothing", is_changed);
        let (function, alias) = (&self.subject.function, &self.alias);
        let permit =
            self.once("AddPermission", || self.cloud.add_permission(function, alias)).await;
        let seen = self.read().await?;
        match permit {
            Ok(()) => sort("AddPermission", seen.revision != updated.revision),
            Err(error) => unknown.push(format!("AddPermission ({error})")),
        }
        let put = || self.cloud.put_event_invoke(function, alias);
        let put = self.once("PutFunctionEventInvokeConfig", put).await;
        let last = self.read().await?;
        match put {
            Ok(()) => sort("PutFunctionEventInvokeConfig", last.revision != seen.revision),
            Err(error) => unknown.push(format!("PutFunctionEventInvokeConfig ({error})")),
        }
        let told = |what: Vec<String>| {
            if what.is_empty() { "none".to_owned() } else { what.join(", ") }
        };
        let verdict = format!("changed by: {}", told(changing));
        let mut detail = format!("not by: {}", told(keeping));
        if !unknown.is_empty() {
            detail = format!("{detail}; not shown: {}", unknown.join(", "));
        }
        Ok(Shown::seen(verdict, detail, Some(is_changed)))
    }

    pub(super) async fn internal_error(
        &self,
        [stable, candidate]: [VersionId; 2],
    ) -> Result<Shown, CloudError> {
        let base = self.read().await?;
        let weight = Weight::from_bp(9_500).unwrap_or(Weight::ZERO);
        let extra = Some(ExtraVersion { version: stable, weight });
        let outcome = self.route(&base, candidate, extra).await;
        let back = match &outcome {
            Ok(written) => written.clone(),
            Err(_) => self.read().await?,
        };
        self.route(&back, stable, None).await?;
        match outcome {
            Ok(_) => {
                Ok(Shown::seen("no", "one update of that shape was accepted".to_owned(), None))
            }
            Err(error) if error.kind == FaultKind::Unknown => {
                Ok(Shown::seen("yes", error.to_string(), None))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn data_plane(&self) -> Result<Shown, CloudError> {
        let (function, alias) = (&self.subject.function, &self.alias);
        let invoke = || async {
            self.caller
                .call(Quota::Free, "Invoke", Priority::Forward, Retry::Once, || {
                    self.cloud.invoke(function, alias)
                })
                .await
        };
        let first = invoke().await?;
        if invoke().await? != first {
            let why = "two calls in a row met two environments already";
            return Ok(Shown::NotShown(why.to_owned()));
        }
        let base = self.read().await?;
        self.describe(&base, "a new description").await?;
        let is_same = invoke().await? == first;
        let detail = if is_same {
            "the same environment answered before and after"
        } else {
            "another environment answered afterwards"
        };
        Ok(Shown::seen(if is_same { "no" } else { "yes" }, detail.to_owned(), None))
    }

    pub(super) async fn throttling(&self) -> Result<Shown, CloudError> {
        let base = self.read().await?;
        let began = self.clock.now_ms();
        let burst = (0..BURST).map(|_| {
            let update = AliasUpdate {
                base: base.revision.clone(),
                routing: None,
                description: "one of many".to_owned(),
            };
            async move {
                // Outside of the budget: it is what is measured.
                self.caller
                    .call(Quota::Free, "UpdateAlias", Priority::Poll, Retry::Once, || {
                        self.cloud.update_alias(self.function(), &self.alias, &update)
                    })
                    .await
            }
        });
        let outcomes = join_all(burst).await;
        let took = Duration::from_millis(self.clock.now_ms().saturating_sub(began))
            .div_f64(self.clock.scale());
        let throttled = outcomes
            .iter()
            .filter(|outcome| {
                outcome.as_ref().err().is_some_and(|error| error.kind == FaultKind::Throttled)
            })
            .count();
        let detail = format!(
            "{BURST} at once, {throttled} of them throttled, all answered within {} ms",
            took.as_millis()
        );
        let verdict = if throttled > 0 { "above the quota" } else { "not by so many" };
        // A second of the quota was used up; what comes next shall not pay for it.
        self.sleep(Duration::from_secs(1)).await;
        Ok(Shown::seen(verdict, detail, None))
    }

    pub(super) async fn description(&self) -> Result<Shown, CloudError> {
        let plain: String = ";=| ".chars().cycle().take(DESCRIPTION_MAX - 1).chain(['.']).collect();
        // A character beyond the BMP: one character, two UTF-16 units, four bytes.
        let wide = |count: usize| "\u{1d11e}".repeat(count);
        let mut base = self.read().await?;
        let is_kept = self.takes(&mut base, &plain).await?;
        let fits_units = self.takes(&mut base, &wide(DESCRIPTION_MAX / 2)).await?;
        let fits_characters = self.takes(&mut base, &wide(DESCRIPTION_MAX / 2 + 1)).await?;
        let fits_more = self.takes(&mut base, &"x".repeat(DESCRIPTION_MAX + 1)).await?;
        let verdict = match (is_kept, fits_units, fits_characters, fits_more) {
            (false, ..) => "256 characters are not kept",
            (_, _, _, true) => "more than 256 are taken",
            (_, false, ..) => "256 bytes",
            (_, _, false, _) => "256 UTF-16 units",
            (_, _, true, _) => "256 characters",
        };
        let told = |is_taken| if is_taken { "kept" } else { "refused or changed" };
        let detail = format!(
            "256 ASCII characters: {}; 128 beyond the BMP: {}; 129: {}; 257 ASCII: {}",
            told(is_kept),
            told(fits_units),
            told(fits_characters),
            told(fits_more)
        );
        Ok(Shown::seen(verdict, detail, Some(is_kept)))
    }

    /// Whether a description is taken and comes back as it was.
    async fn takes(&self, base: &mut AliasState, text: &str) -> Result<bool, CloudError> {
        match self.describe(base, text).await {
            Ok(written) => {
                let is_kept = written.description == text;
                *base = written;
                Ok(is_kept)
            }
            Err(error) if error.kind == FaultKind::Invalid => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn detour(&self, [_, candidate]: [VersionId; 2]) -> Result<Shown, CloudError> {
        let (function, alias) = (&self.subject.function, &self.alias);
        let before = self.read().await?;
        let put = || self.cloud.put_provisioned(function, alias);
        self.once("PutProvisionedConcurrencyConfig", put).await?;
        let with = self.read().await?;
        let put = if with.revision == before.revision { "keeps" } else { "changes" };
        let put = format!("PutProvisionedConcurrencyConfig {put} the RevisionId");
        let (ready_after, status) = self.provisioned().await?;
        if status != "READY" {
            return Ok(Shown::NotShown(format!("{put}; it became {status}, not READY")));
        }
        let written = self.route(&with, candidate, None).await?;
        let mut shape = weights(&written);
        let began = self.clock.now_ms();
        let mut is_disturbed = false;
        let mut is_described = false;
        let mut is_clear = false;
        while self.passed(began) < PROVISIONED_WITHIN {
            let seen = self.poll().await?;
            match (seen.extra, shape.is_none()) {
                (None, false) => is_clear = true,
                (None, true) if self.passed(began) > PROVISIONED_EVERY * 2 => is_clear = true,
                (Some(_), true) => shape = weights(&seen),
                _ => {}
            }
            if is_clear {
                break;
            }
            if seen.extra.is_some() && !is_described {
                is_described = true;
                let described = self.describe(&seen, "while AWS is on its detour").await?;
                is_disturbed = described.extra != seen.extra;
            }
            self.sleep(PROVISIONED_EVERY.min(ASK_EVERY)).await;
        }
        let lasted = self.passed(began);
        let ready = format!("READY after {} s; {put}", ready_after.as_secs());
        let Some(shape) = shape else {
            return Ok(Shown::seen("nothing", ready, Some(true)));
        };
        let is_known = shape == format!("{{{}: 1}}", with.version);
        let touched = match (is_described, is_disturbed) {
            (false, _) => "no description was written meanwhile",
            (true, false) => "a new description left them alone",
            (true, true) => "a new description changed them",
        };
        let end = if is_clear { "cleared" } else { "still there" };
        let detail =
            format!("{ready}; weights {shape}, {end} after {} s; {touched}", lasted.as_secs());
        let verdict = match (is_known, is_clear) {
            (true, true) => "all to the old version, then cleared",
            (true, false) => "all to the old version, not cleared",
            (false, _) => "other weights",
        };
        Ok(Shown::seen(verdict, detail, Some(is_known && !is_disturbed)))
    }

    /// Waits until provisioned concurrency is no longer in progress.
    async fn provisioned(&self) -> Result<(Duration, String), CloudError> {
        let began = self.clock.now_ms();
        loop {
            let status = self
                .caller
                .call(
                    Quota::Control,
                    "GetProvisionedConcurrencyConfig",
                    Priority::Poll,
                    Retry::Safe,
                    || self.cloud.provisioned_status(&self.subject.function, &self.alias),
                )
                .await?;
            let passed = self.passed(began);
            if status != "IN_PROGRESS" || passed > PROVISIONED_WITHIN {
                return Ok((passed, status));
            }
            self.sleep(PROVISIONED_EVERY.min(ASK_EVERY)).await;
        }
    }

    fn passed(&self, since_ms: u64) -> Duration {
        Duration::from_millis(self.clock.now_ms().saturating_sub(since_ms))
            .div_f64(self.clock.scale())
    }

    /// A new description, and nothing else.
    async fn describe(&self, base: &AliasState, text: &str) -> Result<AliasState, CloudError> {
        let update = AliasUpdate {
            base: base.revision.clone(),
            routing: None,
            description: text.to_owned(),
        };
        self.update(&update).await
    }

    /// A new routing, and the same description.
    async fn route(
        &self,
        base: &AliasState,
        version: VersionId,
        extra: Option<ExtraVersion>,
    ) -> Result<AliasState, CloudError> {
        let update = AliasUpdate {
            base: base.revision.clone(),
            routing: Some((version, extra)),
            description: base.description.clone(),
        };
        self.update(&update).await
    }

    async fn update(&self, update: &AliasUpdate) -> Result<AliasState, CloudError> {
        self.once("UpdateAlias", || self.cloud.update_alias(self.function(), &self.alias, update))
            .await
    }
}

fn weights(alias: &AliasState) -> Option<String> {
    alias.extra.map(|extra| format!("{{{}: {}}}", extra.version, extra.weight.to_share()))
}
