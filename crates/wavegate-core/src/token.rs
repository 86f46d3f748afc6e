//! The records that live in alias descriptions: tokens of rollouts and the app's lock record.
//!
//! One `UpdateAlias` writes the description, the versions and the weight under one revision id, so
//! the record of a change and the change itself can never disagree. Anything that does not parse
//! exactly, checksum included, is no record: it is never acted upon.

use std::fmt::Write as _;

use crate::control::{Answered, Request};
use crate::inventory::{AliasState, ExtraVersion};
use crate::name::{AppName, Nonce, ReleaseId, VersionId};
use crate::spec::{OnFailure, RollbackScope};
use crate::weight::Weight;

/// Longest alias description in characters. Source: Lambda's API model.
pub const DESCRIPTION_MAX: usize = 256;

/// Longest owner text in a lock record.
const OWNER_MAX: usize = 32;

/// Longest owner text in a lock record of format 1.
const OWNER_MAX_1: usize = 48;

/// The longest record without a request: 40 characters of app, 13 of each id, 32 of owner, ten for
/// each number, and the keys. What is left is the request's.
const RECORD_MAX: usize = 226;

const _: () = assert!(DESCRIPTION_MAX - RECORD_MAX >= crate::control::ROOM_MIN);

/// Between a token and the user's own description.
const SEPARATOR: &str = " | ";

/// Which routing a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Claimed or shifting: stable is the main version, the candidate has `weight`.
    Forward,
    /// Promoted: the candidate alone.
    Promoted,
    /// Put back: the stable version alone.
    Back,
    /// CodeDeploy moves the traffic: any routing between the two versions.
    Delegated,
}

/// The record of one rollout in its live alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The app.
    pub app: AppName,
    /// The release.
    pub release: ReleaseId,
    /// The lock's epoch when it was written.
    pub epoch: u64,
    /// Grows by one with every write of this release on this alias: the order revision ids lack.
    pub sequence: u64,
    /// Which routing it stands for.
    pub position: Position,
    /// The version being replaced; `None` on a first deploy.
    pub stable: Option<VersionId>,
    /// The version being rolled out.
    pub candidate: VersionId,
    /// The candidate's share.
    pub weight: Weight,
    /// This write's id.
    pub nonce: Nonce,
    /// The plan's fingerprint.
    pub plan: u32,
}

/// Where a release stands, as its lock says. Of two ends, the later one in this order wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockPhase {
    /// A release runs.
    Running,
    /// It is going back. Sticky: nothing goes forward any more.
    Aborting,
    /// It ended well.
    Done,
    /// It was put back.
    RolledBack,
    /// Nobody owns it, and it stands where it stood: frozen. It may go on or back.
    Held,
    /// Nobody owns it: it was going back, and an undo failed. It may only go back.
    Stuck,
}

impl LockPhase {
    /// Whether the next release may take the lock.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::RolledBack)
    }

    /// Whether nobody runs it although it is not over.
    pub fn is_ownerless(self) -> bool {
        matches!(self, Self::Held | Self::Stuck)
    }

    /// Whether nothing of it goes forward any more, and it is not over.
    pub fn is_going_back(self) -> bool {
        matches!(self, Self::Aborting | Self::Stuck)
    }
}

/// The app's record: who owns the release that runs, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRecord {
    /// The app.
    pub app: AppName,
    /// The release.
    pub release: ReleaseId,
    /// Its number: `shop r42`.
    pub number: u64,
    /// Grows by exactly one with every change of owner, over all releases of the app.
    pub epoch: u64,
    /// Where it stands.
    pub phase: LockPhase,
    /// Who runs it, for people.
    pub owner: String,
    /// Grows with every renewal.
    pub heartbeat: u64,
    /// How many functions are claimed; traffic may move once it equals `functions`.
    pub claimed: u32,
    /// How many functions have an alias to claim.
    pub functions: u32,
    /// What a failure does, for whoever has to finish it.
    pub on_failure: OnFailure,
    /// How far a rollback reaches, for whoever has to finish it.
    pub scope: RollbackScope,
    /// It moves aliases to versions that exist: a way back after the fact, in which what depends on
    /// others goes first.
    pub is_switch: bool,
    /// Nothing goes up until somebody says so.
    pub is_paused: bool,
    /// What somebody asks of the owner, and the owner has not answered yet.
    pub request: Option<Request>,
    /// The last request that the owner answered.
    pub answered: Option<Answered>,
    /// The plan's fingerprint.
    pub plan: u32,
    /// This write's id. A request keeps the owner's: it is the owner's record still.
    pub nonce: Nonce,
}

impl Token {
    /// The description that carries this token, and as much of the user's own text as fits.
    pub fn encode(&self, own: &str) -> String {
        let mut text = format!(
            "wg1;a={};r={};e={};q={};p={};o={};n={};w={};x={};h={:08x}",
            self.app,
            self.release,
            self.epoch,
            self.sequence,
            match self.position {
                Position::Forward => 'F',
                Position::Promoted => 'P',
                Position::Back => 'B',
                Position::Delegated => 'D',
            },
            self.stable.map_or_else(|| "-".to_owned(), |v| v.to_string()),
            self.candidate,
            self.weight.bp(),
            self.nonce,
            self.plan,
        );
        seal(&mut text);
        if !own.is_empty() {
            let room = DESCRIPTION_MAX.saturating_sub(text.len() + SEPARATOR.len());
            text.push_str(SEPARATOR);
            text.push_str(as_much_as_fits(own, room));
        }
        text
    }

    /// Reads a token out of a description. `None`: there is none that can be trusted.
    #[expect(clippy::many_single_char_names, reason = "the record's own keys")]
    pub fn decode(description: &str) -> Option<Self> {
        let record = description.split(SEPARATOR).next()?;
        let fields = unseal(record, "wg1")?;
        let [a, r, e, q, p, o, n, w, x, h] = fields.as_slice() else { return None };
        let token = Self {
            app: AppName::new(a.strip_prefix("a=")?).ok()?,
            release: ReleaseId::parse(r.strip_prefix("r=")?)?,
            epoch: e.strip_prefix("e=")?.parse().ok()?,
            sequence: q.strip_prefix("q=")?.parse().ok()?,
            position: match *p {
                "p=F" => Position::Forward,
                "p=P" => Position::Promoted,
                "p=B" => Position::Back,
                "p=D" => Position::Delegated,
                _ => return None,
            },
            stable: match o.strip_prefix("o=")? {
                "-" => None,
                version => Some(VersionId::parse(version)?),
            },
            candidate: VersionId::parse(n.strip_prefix("n=")?)?,
            weight: Weight::from_bp(w.strip_prefix("w=")?.parse().ok()?)?,
            nonce: Nonce::parse(x.strip_prefix("x=")?)?,
            plan: u32::from_str_radix(h.strip_prefix("h=")?, 16).ok()?,
        };
        Some(token)
    }

    /// Whether an alias is routed as this token says.
    fn fits(&self, alias: &AliasState) -> bool {
        let is_of_both =
            |version: VersionId| version == self.candidate || Some(version) == self.stable;
        if self.position == Position::Delegated {
            return alias.main().is_some_and(is_of_both)
                && alias.extra.is_none_or(|extra| is_of_both(extra.version));
        }
        let (main, extra) = self.routing();
        alias.main() == Some(main) && alias.extra == extra
    }

    /// The routing that this token stands for. Where CodeDeploy moves the traffic, the one that it
    /// began from.
    pub fn routing(&self) -> (VersionId, Option<ExtraVersion>) {
        match (self.position, self.stable) {
            (Position::Forward, Some(stable)) => {
                let extra = (self.weight > Weight::ZERO)
                    .then_some(ExtraVersion { version: self.candidate, weight: self.weight });
                (stable, extra)
            }
            (Position::Back | Position::Delegated, Some(stable)) => (stable, None),
            (Position::Promoted, _) | (_, None) => (self.candidate, None),
        }
    }
}

impl LockRecord {
    /// The description that carries this record.
    pub fn encode(&self) -> String {
        let scope = match (self.on_failure, self.scope) {
            (OnFailure::Freeze, _) => 'z',
            (OnFailure::Rollback, RollbackScope::App) => 'a',
            (OnFailure::Rollback, RollbackScope::Dependents) => 'd',
            (OnFailure::Rollback, RollbackScope::Function) => 'f',
        };
        let scope = if self.is_switch { scope.to_ascii_uppercase() } else { scope };
        let mut text = format!(
            "wgL2;a={};r={};m={};e={};ph={};own={};hb={};k={};N={};s={scope};an={};h={:08x};x={}",
            self.app,
            self.release,
            self.number,
            self.epoch,
            match (self.phase, self.is_paused) {
                (LockPhase::Running, false) => 'R',
                (LockPhase::Running, true) => 'P',
                (LockPhase::Aborting, _) => 'A',
                (LockPhase::Held, _) => 'H',
                (LockPhase::Stuck, _) => 'S',
                (LockPhase::Done, _) => 'D',
                (LockPhase::RolledBack, _) => 'X',
            },
            plain(&self.owner, OWNER_MAX),
            self.heartbeat,
            self.claimed,
            self.functions,
            self.answered.map(Answered::encode).unwrap_or_default(),
            self.plan,
            self.nonce,
        );
        if let Some(request) = &self.request {
            let key = ";rq=";
            let room = DESCRIPTION_MAX.saturating_sub(text.len() + key.len() + SEAL_LEN);
            text.push_str(key);
            text.push_str(&request.encode(room));
        }
        seal(&mut text);
        text
    }

    /// Reads a lock record. `None`: there is none that can be trusted.
    pub fn decode(description: &str) -> Option<Self> {
        match unseal(description, "wgL2") {
            Some(fields) => Self::decode_2(&fields),
            None => Self::decode_1(&unseal(description, "wgL1")?),
        }
    }

    #[expect(clippy::many_single_char_names, reason = "the record's own keys")]
    fn decode_2(fields: &[&str]) -> Option<Self> {
        let (fields, request) = match fields.split_last()? {
            (last, before) if last.starts_with("rq=") => {
                (before, Some(Request::decode(last.strip_prefix("rq=")?)?))
            }
            _ => (fields, None),
        };
        let [a, r, m, e, ph, own, hb, k, n, s, an, h, x] = fields else { return None };
        let answered = an.strip_prefix("an=")?;
        let answered = match answered {
            "" => None,
            text => Some(Answered::decode(text)?),
        };
        let head = Self::head([a, r, m, e, ph, own, hb, k, n, s, h, x])?;
        Some(Self { request, answered, ..head })
    }

    /// Format 1 knew no request but to abort, and did not say what was answered.
    #[expect(clippy::many_single_char_names, reason = "the record's own keys")]
    fn decode_1(fields: &[&str]) -> Option<Self> {
        let [a, r, m, e, ph, own, hb, k, n, s, ab, h, x] = fields else { return None };
        let by = ab.strip_prefix("ab=")?;
        let head = Self::head([a, r, m, e, ph, own, hb, k, n, s, h, x])?;
        let request = (!by.is_empty()).then(|| Request::to_abort(by, ""));
        Some(Self { request, owner: plain(&head.owner, OWNER_MAX_1), ..head })
    }

    #[expect(clippy::many_single_char_names, reason = "the record's own keys")]
    fn head([a, r, m, e, ph, own, hb, k, n, s, h, x]: [&str; 12]) -> Option<Self> {
        let (on_failure, scope) = match s.to_ascii_lowercase().as_str() {
            "s=z" => (OnFailure::Freeze, RollbackScope::App),
            "s=a" => (OnFailure::Rollback, RollbackScope::App),
            "s=d" => (OnFailure::Rollback, RollbackScope::Dependents),
            "s=f" => (OnFailure::Rollback, RollbackScope::Function),
            _ => return None,
        };
        Some(Self {
            app: AppName::new(a.strip_prefix("a=")?).ok()?,
            release: ReleaseId::parse(r.strip_prefix("r=")?)?,
            number: m.strip_prefix("m=")?.parse().ok()?,
            epoch: e.strip_prefix("e=")?.parse().ok()?,
            phase: match ph {
                "ph=R" | "ph=P" => LockPhase::Running,
                "ph=A" => LockPhase::Aborting,
                "ph=H" => LockPhase::Held,
                "ph=S" => LockPhase::Stuck,
                "ph=D" => LockPhase::Done,
                "ph=X" => LockPhase::RolledBack,
                _ => return None,
            },
            owner: own.strip_prefix("own=")?.to_owned(),
            heartbeat: hb.strip_prefix("hb=")?.parse().ok()?,
            claimed: k.strip_prefix("k=")?.parse().ok()?,
            functions: n.strip_prefix("N=")?.parse().ok()?,
            on_failure,
            scope,
            is_switch: s.ends_with(|letter: char| letter.is_ascii_uppercase()),
            is_paused: ph == "ph=P",
            request: None,
            answered: None,
            plan: u32::from_str_radix(h.strip_prefix("h=")?, 16).ok()?,
            nonce: Nonce::parse(x.strip_prefix("x=")?)?,
        })
    }

    /// Whether every alias was claimed, so that traffic may have moved.
    pub fn is_past_barrier(&self) -> bool {
        self.claimed == self.functions
    }

    /// Whether somebody asks for it to be put back.
    pub fn is_abort_asked(&self) -> bool {
        self.request.as_ref().is_some_and(Request::is_abort)
    }
}

/// The user's own part of a description, whether or not a token stands before it.
pub fn own_text(description: &str) -> &str {
    match Token::decode(description) {
        None => description,
        Some(_) => description.split_once(SEPARATOR).map_or("", |(_, own)| own),
    }
}

/// What an alias is, judged by its token and the lock alone: no plan is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// No token, or one of a release that is not the lock's.
    Unclaimed,
    /// Ours, written under the lock's epoch, and routed as it says.
    Mine,
    /// Ours, written under an earlier epoch, and routed as it says.
    OldEpoch,
    /// Routed as it says, but AWS itself still routes everything to the other version for a while:
    /// provisioned concurrency after a change of version.
    Settling,
    /// Written under a later epoch: somebody else owns the release.
    Fenced,
    /// Ours, but routed otherwise than the token says: somebody changed it.
    Foreign,
}

/// Classifies `alias` under a lock of `release` at `epoch`.
pub fn classify(alias: &AliasState, release: ReleaseId, epoch: u64) -> Class {
    let Some(token) = Token::decode(&alias.description) else { return Class::Unclaimed };
    if token.epoch > epoch {
        return Class::Fenced;
    }
    if token.release != release {
        return Class::Unclaimed;
    }
    if token.fits(alias) {
        return if token.epoch == epoch { Class::Mine } else { Class::OldEpoch };
    }
    let (main, extra) = token.routing();
    if alias.main() == Some(main) && extra.is_none() && is_transient(alias, &token) {
        return Class::Settling;
    }
    Class::Foreign
}

/// AWS routes all traffic to the version just left until the new one's concurrency is ready.
/// Source: terraform-provider-aws pull request 48116.
fn is_transient(alias: &AliasState, token: &Token) -> bool {
    let other = match token.position {
        Position::Promoted => token.stable,
        Position::Back => Some(token.candidate),
        Position::Forward | Position::Delegated => None,
    };
    alias.extra.is_some_and(|extra| Some(extra.version) == other && extra.weight == Weight::FULL)
}

/// As much of a text as fits a description. How AWS counts is not documented: a character beyond the
/// basic plane is taken for two, as in UTF-16.
fn as_much_as_fits(text: &str, room: usize) -> &str {
    let mut left = room;
    let end = text.char_indices().find_map(|(at, c)| match left.checked_sub(c.len_utf16()) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    &text[..end.unwrap_or(text.len())]
}

/// Length of `;c=` and the checksum.
const SEAL_LEN: usize = 11;

fn seal(text: &mut String) {
    let sum = crc32fast::hash(text.as_bytes());
    // Writing to a String cannot fail.
    let _ = write!(text, ";c={sum:08x}");
}

fn unseal<'a>(text: &'a str, magic: &str) -> Option<Vec<&'a str>> {
    let (body, sum) = text.rsplit_once(";c=")?;
    if sum.len() != 8 || u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(body.as_bytes()) {
        return None;
    }
    let mut fields = body.split(';');
    (fields.next()? == magic).then(|| fields.collect())
}

/// A text that cannot break the record's syntax or the terminal of whoever reads it.
pub(crate) fn plain(text: &str, longest: usize) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() && !";|=".contains(c) { c } else { '_' })
        .take(longest)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_token() -> impl Strategy<Value = Token> {
        (
            ("[a-zA-Z0-9_-]{1,40}", any::<u64>(), any::<u32>(), any::<u32>(), 0..3_u8),
            (
                proptest::option::of(any::<u32>()),
                any::<u32>(),
                0..=10_000_u16,
                any::<u64>(),
                any::<u32>(),
            ),
        )
            .prop_map(
                |((app, release, epoch, sequence, p), (stable, candidate, bp, nonce, plan))| {
                    Token {
                        app: AppName::new(app).unwrap(),
                        release: ReleaseId(release),
                        epoch: epoch.into(),
                        sequence: sequence.into(),
                        position: [Position::Forward, Position::Promoted, Position::Back]
                            [usize::from(p)],
                        stable: stable.map(|v| VersionId(v.into())),
                        candidate: VersionId(candidate.into()),
                        weight: Weight::from_bp(bp).unwrap(),
                        nonce: Nonce(nonce),
                        plan,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn a_token_round_trips_and_fits(token in any_token(), own in "\\PC{0,300}") {
            let text = token.encode(&own);
            prop_assert!(text.encode_utf16().count() <= DESCRIPTION_MAX);
            prop_assert_eq!(Token::decode(&text), Some(token));
            prop_assert!(own.starts_with(own_text(&text)));
        }

        #[test]
        fn a_damaged_token_is_no_token(token in any_token(), at in 0..100_usize, bit in 0..7_u8) {
            let mut bytes = token.encode("").into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                // Case of hex digits and base 32 is the only freedom; none is accepted as other content.
                if let Some(read) = Token::decode(&text) {
                    prop_assert_eq!(read, token);
                }
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = Token::decode(&text);
            let _ = LockRecord::decode(&text);
            let _ = own_text(&text);
        }

        #[test]
        fn a_lock_record_round_trips_and_fits(
            app in "[a-z]{1,40}", ids: (u64, u32, u32, u64), owner in "\\PC{0,80}", k: u32, request in proptest::option::of(crate::control::tests::any_request()),
            answered in proptest::option::of((any::<u32>(), any::<bool>())), is_paused: bool, is_switch: bool,
        ) {
            let record = LockRecord {
                app: AppName::new(app).unwrap(),
                release: ReleaseId(ids.0),
                number: ids.1.into(),
                epoch: ids.2.into(),
                phase: LockPhase::Running,
                owner: plain(&owner, OWNER_MAX),
                heartbeat: u32::MAX.into(),
                claimed: k,
                functions: k,
                on_failure: OnFailure::Rollback,
                scope: RollbackScope::Dependents,
                is_switch,
                is_paused,
                request: request.clone(),
                answered: answered.map(|(id, was_done)| Answered { id, was_done }),
                plan: 7,
                nonce: Nonce(ids.3),
            };
            let text = record.encode();
            prop_assert!(text.chars().count() <= DESCRIPTION_MAX, "{}", text.len());
            let read = LockRecord::decode(&text).expect("a record");
            // Who and why are cut short where there is no room; what is asked never is.
            let asks = |record: &LockRecord| {
                record.request.as_ref().map(|r| (r.id, r.verb, r.function))
            };
            prop_assert_eq!(asks(&read), asks(&record));
            if let (Some(read), Some(sent)) = (&read.request, &request) {
                prop_assert!(sent.by.starts_with(&read.by) && sent.reason.starts_with(&read.reason));
            }
            prop_assert_eq!(LockRecord { request: None, ..read }, LockRecord { request: None, ..record });
        }
    }

    fn alias(token: &Token, main: u64, extra: Option<(u64, u16)>) -> AliasState {
        AliasState {
            name: "live".into(),
            version: main.to_string(),
            extra: extra.map(|(v, w)| ExtraVersion {
                version: VersionId(v),
                weight: Weight::from_bp(w).unwrap(),
            }),
            description: token.encode("mine"),
            revision: "r1".into(),
        }
    }

    #[test]
    fn an_alias_is_judged_by_its_token_and_the_lock_alone() {
        let shifting = Token {
            app: AppName::new("shop").unwrap(),
            release: ReleaseId(7),
            epoch: 3,
            sequence: 2,
            position: Position::Forward,
            stable: Some(VersionId(1)),
            candidate: VersionId(2),
            weight: Weight::from_bp(1000).unwrap(),
            nonce: Nonce(1),
            plan: 1,
        };
        let promoted =
            Token { position: Position::Promoted, weight: Weight::FULL, ..shifting.clone() };
        let cases = [
            (alias(&shifting, 1, Some((2, 1000))), 3, Class::Mine),
            (alias(&shifting, 1, Some((2, 1000))), 4, Class::OldEpoch),
            (alias(&shifting, 1, Some((2, 1000))), 2, Class::Fenced),
            (alias(&shifting, 1, Some((2, 2000))), 3, Class::Foreign),
            (alias(&shifting, 1, None), 3, Class::Foreign),
            (alias(&shifting, 3, None), 3, Class::Foreign),
            (alias(&promoted, 2, None), 3, Class::Mine),
            (alias(&promoted, 2, Some((1, 10_000))), 3, Class::Settling),
            (alias(&promoted, 2, Some((1, 5_000))), 3, Class::Foreign),
        ];
        for (state, epoch, class) in cases {
            assert_eq!(classify(&state, ReleaseId(7), epoch), class, "{state:?} at {epoch}");
        }
        assert_eq!(classify(&alias(&shifting, 1, None), ReleaseId(8), 9), Class::Unclaimed);
    }
}
