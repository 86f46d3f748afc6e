//! The catalogue of error codes: what `wavegate explain` tells.
//!
//! Codes are stable: one that is no longer used is retired, never given to another problem. The
//! manifest's own (WG1xx) stand with the code that finds them.

mod doctor;
mod plugins;

use std::fmt;

/// What is told about one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Cause and cure.
    pub text: &'static str,
}

/// Text is wrapped at this column.
const WIDTH: usize = 80;

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.code, self.title)?;
        let mut column = 0;
        for word in self.text.split_whitespace() {
            if column > 0 && column + 1 + word.chars().count() > WIDTH {
                writeln!(f)?;
                column = 0;
            }
            if column > 0 {
                f.write_str(" ")?;
                column += 1;
            }
            f.write_str(word)?;
            column += word.chars().count();
        }
        writeln!(f)
    }
}

/// All pages, in the order of their codes.
pub fn pages() -> impl Iterator<Item = Page> {
    let manifest = wavegate_config::ERRORS.iter();
    let own = EXISTING.iter().chain(PACKAGING).chain(plugins::PAGES).chain(RELEASES).chain(RECORDS);
    let own = own.chain(doctor::PAGES).chain(ITSELF);
    manifest.chain(own).map(|(code, title, text)| Page { code, title, text })
}

/// The page of a code, in whatever case and with or without its letters.
pub fn page(code: &str) -> Option<Page> {
    let code = normal(code);
    pages().find(|page| page.code == code)
}

/// The page whose code is closest: in number and of the same kind, else in writing.
pub fn closest(code: &str) -> Option<Page> {
    let code = normal(code);
    let number = |code: &str| code.strip_prefix("WG").and_then(|digits| digits.parse::<u32>().ok());
    let Some(wanted) = number(&code) else {
        return page(nearest(&code, pages().map(|page| page.code))?);
    };
    pages().min_by_key(|page| {
        let known = number(page.code).unwrap_or(u32::MAX);
        (known / 100 != wanted / 100, known.abs_diff(wanted))
    })
}

fn normal(code: &str) -> String {
    let code = code.trim().to_ascii_uppercase();
    if code.bytes().all(|b| b.is_ascii_digit()) { format!("WG{code}") } else { code }
}

/// The candidate that `word` was probably meant to be: at most a third of its letters are wrong.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Longer texts are no typos, and the distance costs the product of the lengths.
    const LENGTH_MAX: usize = 80;
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let word = letters(word);
    if word.len() > LENGTH_MAX {
        return None;
    }
    let limit = (word.len() / 3).max(1);
    let near =
        candidates.into_iter().map(|candidate| (distance(&word, &letters(candidate)), candidate));
    near.filter(|(distance, _)| *distance <= limit).min().map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A code, its title and its text.
type Entry = (&'static str, &'static str, &'static str);

/// The pages about functions that exist (WG16x), in the order of their codes.
const EXISTING: &[Entry] = &[
    (
        "WG160",
        "functions that are not there",
        "`wavegate init --from-function`, --from-app or --from-tag means no function of this account and \
      region. Everything that means none is named, and nothing was written. Without --target local the \
      functions are looked for on AWS, or wherever AWS_ENDPOINT_URL leads.",
    ),
    (
        "WG161",
        "code that is not what was looked at",
        "What `wavegate init --download` fetched has another SHA-256 than Lambda tells of that version: \
      somebody changed the function between the look and the download, or something in between answered \
      in Lambda's place. Nothing was written; do it again.",
    ),
];

/// The pages about packaging (WG2xx), in the order of their codes.
const PACKAGING: &[Entry] = &[
    (
        "WG201",
        "the code is not there",
        "The path that a function's `code` names does not exist. Correct it, or build the code first: \
      paths are relative to the manifest.",
    ),
    (
        "WG202",
        "the code is neither a directory nor a .zip file",
        "`code` is a directory to package, a .zip file, s3://bucket/key, or `image` names a container image.",
    ),
    (
        "WG203",
        "nothing is left to package",
        "The directory is empty, or its .lambdaignore (or, without one, its .gitignore) leaves everything out.",
    ),
    (
        "WG204",
        "a symlink that cannot be followed",
        "Symlinks inside the source are replaced by what they point to. One that leads out of the \
      source, to nothing, or back to a directory that contains it is refused: the package would \
      depend on the machine. Copy the target, or name the link in .lambdaignore.",
    ),
    (
        "WG205",
        "a special file",
        "Sockets, devices and named pipes cannot be packaged. Remove it, or \
      name it in .lambdaignore.",
    ),
    (
        "WG206",
        "the package is too large",
        "Lambda unfolds at most 250 MB, layers included, and wavegate takes at most 100 000 entries. \
      The largest paths are listed: leave out what the function does not need (.lambdaignore), or \
      use a container image.",
    ),
    (
        "WG207",
        "a name that a package cannot hold",
        "Names in a package are relative paths in UTF-8 without `..`, backslashes or drive letters, \
      each once, also where upper and lower case are the same. Rename it and package again.",
    ),
    (
        "WG208",
        "a file changed while it was packaged",
        "A build or an editor was writing. Let it finish, then try again: half a file must not be deployed.",
    ),
    (
        "WG209",
        "a broken zip",
        "The .zip file is not one, contradicts itself (sizes that are not true, entries that share \
      data), or is encrypted. Build it again with stored or deflated entries and without a password.",
    ),
    (
        "WG210",
        "the operating system refused",
        "A file could not be read, or the artifact not be written. The message says which, and why.",
    ),
    (
        "WG211",
        "an ignore rule that is none",
        "A line of .lambdaignore or .gitignore is not a pattern in gitignore's syntax.",
    ),
];

/// The pages about plans (WG4xx), AWS settings (WG5xx), the command line and its surroundings (WG6xx),
/// in the order of their codes.
const RELEASES: &[Entry] = &[
    (
        "WG401",
        "a release is running",
        "The app's lock says that a release is running or going back, with its owner and heartbeat. One \
      release owns an app at a time. Wait until it ends, or ask it to go back with `wavegate abort`. If \
      its machine is gone, `wavegate recover` takes over once nobody has renewed the lock for 90 seconds, \
      and puts it back; `wavegate recover --resume` goes on with it.",
    ),
    (
        "WG402",
        "a release stopped in the middle",
        "A release ended without being done or put back: it was frozen (`on_failure = \"freeze\"`), or \
      something could not be put back. `wavegate status` shows where it stands, `wavegate recover` \
      puts it back, `wavegate recover --resume` goes on.",
    ),
    (
        "WG403",
        "a function of another app",
        "The alias or the lock on this function was written by another app's release. One function \
      belongs to one app: rename the function or the app.",
    ),
    (
        "WG404",
        "an alias that points at $LATEST",
        "Lambda splits traffic between published versions only. Publish a version and point the alias \
      at it; the command is shown.",
    ),
    (
        "WG405",
        "an alias that is split already",
        "Somebody else left the alias with two versions. wavegate does not guess which of them is \
      meant: choose one with the command that is shown.",
    ),
    (
        "WG406",
        "two versions that Lambda cannot split",
        "Lambda splits traffic only between versions with the same execution role and dead-letter \
      target. Release this change with `strategy = \"AllAtOnce\"`.",
    ),
    (
        "WG407",
        "a changed package type",
        "A function that was created from a zip stays one, and so does one from an image. Give the new \
      one another name, or delete the function first.",
    ),
    (
        "WG412",
        "an alarm that does not exist",
        "An alarm that is not there guards nothing, so the release is refused before anything is \
      touched. Create it, or correct its name, region or account.",
    ),
    (
        "WG413",
        "an alarm that is red already",
        "A release that starts under a red alarm could not tell its own failures from old ones. If this \
      release is the fix, set `if_already_alarming = \"ignore\"` for the alarm (it counts once it has \
      been quiet), or \"wait\" (the first shift waits until it is quiet).",
    ),
    (
        "WG414",
        "an alarm that is red already, as allowed",
        "The manifest says what to do about it: `if_already_alarming` is \"ignore\" or \"wait\".",
    ),
    (
        "WG415",
        "a strategy that CodeDeploy cannot follow",
        "With `engine = \"codedeploy\"` AWS CodeDeploy moves the traffic, and goes by the clock: all at once, one share and the rest after whole minutes, or equal shares every so many whole minutes, within 48 hours.",
    ),
    (
        "WG416",
        "a hook that CodeDeploy may not be allowed to call",
        "AWS's own policy for CodeDeploy's service role, AWSCodeDeployRoleForLambda, lets it invoke functions named CodeDeployHook_* only. Name hooks so, or give the role lambda:InvokeFunction on them.",
    ),
    (
        "WG417",
        "alarms that CodeDeploy cannot watch",
        "CodeDeploy goes on when wavegate is gone, and watches alarms that exist in CloudWatch (`use = \"cloudwatch-alarm\"`). What else is watched, only wavegate watches, while it runs.",
    ),
    (
        "WG418",
        "a left-out hook that CodeDeploy calls",
        "CodeDeploy calls a hook by its name, so what runs is its $LATEST. That of this hook holds something else than its alias serves, most likely what a release left that was put back. A deploy without `--only`, or one that names the hook too, puts it right first.",
    ),
    (
        "WG501",
        "no AWS region",
        "Give `region` under [app], or set AWS_REGION, or name a profile with a region in AWS_PROFILE.",
    ),
    (
        "WG502",
        "a malformed AWS region",
        "Regions are written with small letters, digits and `-`, such as eu-west-1.",
    ),
    (
        "WG503",
        "a malformed endpoint",
        "AWS_ENDPOINT_URL and its per-service forms take http://HOST[:PORT] or https://HOST[:PORT].",
    ),
    (
        "WG504",
        "the local cloud without its endpoint",
        "The local cloud's credentials are used only with its own url on this machine.",
    ),
    (
        "WG505",
        "the local cloud on another machine",
        "The local cloud's credentials are only ever sent to this machine. For any other endpoint use \
      `target = \"aws\"`.",
    ),
    (
        "WG601",
        "nothing answers",
        "No connection could be made to the endpoint: the name does not resolve, nobody listens, or a \
      firewall is in between. Check that it runs and that AWS_ENDPOINT_URL (or its per-service form, \
      or the profile) names it. Nothing was changed.",
    ),
    (
        "WG602",
        "the AWS credentials do not work",
        "They are missing, wrong or expired. The standard chain is used: environment, profile, SSO, \
      container, instance. `aws sts get-caller-identity` shows whose they are. A signature holds for \
      five minutes, so a clock that is further off has the same effect.",
    ),
    (
        "WG603",
        "access is denied",
        "The credentials are valid and may not do this. The action to allow is named; `wavegate iam` \
      prints the whole policy.",
    ),
    (
        "WG604",
        "Lambda cannot use the execution role",
        "The role of a function does not exist, or its trust policy does not let lambda.amazonaws.com \
      assume it, or the deployer lacks iam:PassRole for it. A role made a moment ago may need some \
      seconds before Lambda sees it.",
    ),
    (
        "WG605",
        "too many requests",
        "Lambda allows 15 control-plane requests a second per account and region, for everybody \
      together. wavegate stays below and waits; it gave up because others use the quota. Try again \
      later, or lower `requests_per_second` under [app].",
    ),
    (
        "WG606",
        "a call failed",
        "The service refused a call or did not answer it, for a reason that has no page of its own. Its \
      own words are shown, with the request id where there is one.",
    ),
    (
        "WG607",
        "the alarms cannot be read",
        "Before a release every alarm is read once, to tell what is red already from what turns red. An \
      alarm that cannot be read cannot guard, so nothing is deployed. On AWS it takes \
      cloudwatch:DescribeAlarms and cloudwatch:GetMetricData; behind another endpoint, \
      AWS_ENDPOINT_URL_CLOUDWATCH can name one that speaks CloudWatch.",
    ),
    (
        "WG608",
        "a strategy cannot answer",
        "The strategy was asked what it would do and failed. Its own words are shown.",
    ),
    (
        "WG610",
        "no terminal to ask on",
        "Changing traffic needs a yes. Without a terminal nobody can be asked, so it is refused. \
      In CI, say it beforehand: --yes.",
    ),
    ("WG611", "not confirmed", "The question was not answered with y or yes. Nothing was changed."),
    (
        "WG613",
        "a function that the manifest does not have",
        "--only takes the keys of [functions.NAME] tables.",
    ),
    (
        "WG614",
        "a package that needs a bucket",
        "Lambda takes at most 50 MB zipped in a request. Larger packages go through S3: give \
      `artifact_bucket` under [app], a bucket in the same region. Or make the package smaller.",
    ),
    (
        "WG615",
        "a file that is there already",
        "`wavegate init` never overwrites: choose an empty directory. `wavegate init --from-...` and \
      `wavegate import` write over what is there with --force, and `import` elsewhere with --out.",
    ),
    (
        "WG616",
        "a release that is not recorded",
        "`rollback --to-release` reads the records in .wavegate/records.db, which are kept on the machine \
      that deployed. Without them `wavegate rollback` still goes back one release: that is written in \
      the aliases.",
    ),
    (
        "WG617",
        "versions that do not exist any more",
        "Versions beyond `keep_versions` are deleted after a success. What is gone cannot be gone back \
      to: deploy the old code again.",
    ),
    ("WG618", "a file that cannot be written", "The operating system's own words are shown."),
    (
        "WG620",
        "the local cloud cannot be used",
        "It could not be started, or its state could not be read or written. One state directory \
      belongs to one local cloud at a time. `wavegate local reset` starts afresh.",
    ),
    (
        "WG622",
        "a payload that is not JSON",
        "--payload takes JSON, @FILE, or @- for stdin, up to 6 MB.",
    ),
    ("WG623", "an unknown error code", "`wavegate explain` without a code lists all."),
    (
        "WG624",
        "a function that was not invoked",
        "The local cloud refused: there is no such function, alias or version, or too many invocations \
      are under way. Deploy it first, or name another --qualifier.",
    ),
    (
        "WG625",
        "a function that failed",
        "The function was invoked and raised an error, timed out or crashed. Its answer is on stdout, \
      the last lines of its log on stderr.",
    ),
    (
        "WG626",
        "a plugin that the manifest does not have",
        "`wavegate plugin pin` takes the name of a [plugins.NAME] table that is sound. `wavegate check` \
      tells what is wrong with one that is not.",
    ),
    (
        "WG627",
        "a plugin that breaks a law",
        "`wavegate plugin check` holds a plugin against what every plugin of its kind must do. The law \
      that is broken is told with the shortest case that breaks it; `--seed` with the number that is \
      shown repeats it. A release refuses or rolls back what such a plugin would do.",
    ),
    (
        "WG628",
        "a name that no plugin can have",
        "`wavegate plugin new` makes a crate, a library and a component of the name: small letters, digits \
      and single hyphens, beginning with a letter, and no word that Rust reserves.",
    ),
    (
        "WG629",
        "no SDK to build on",
        "`--sdk` names a checkout of wavegate, in which crates/wavegate-plugin-sdk is. Without it the \
      checkout is used that this wavegate was built from, and if that is gone, the published SDK.",
    ),
    (
        "WG631",
        "a release that failed and was put back",
        "A hook failed, an alarm fired, a strategy said so, or a call was refused. Every function is on \
      the version it served before, and was read so. Mend the cause and deploy again: the manifest \
      still wants the new versions.",
    ),
    (
        "WG632",
        "a release that failed before any traffic moved",
        "Publishing or claiming failed. No alias was moved. Versions that were published stay, without \
      traffic.",
    ),
    (
        "WG634",
        "a release that is stuck",
        "Something could not be put back: an alias was changed by somebody else, or the service refused \
      for too long. wavegate never overwrites what it has not seen. What a person must do is listed, \
      one line per alias; then `wavegate status`, and `wavegate recover` for the rest.",
    ),
    (
        "WG635",
        "a release that is frozen",
        "The manifest says `on_failure = \"freeze\"`: the release stands where it stood when it failed. \
      `wavegate status` shows it, `wavegate recover` puts it back, `wavegate recover --resume` or \
      `wavegate retry` goes on.",
    ),
    (
        "WG636",
        "a release that was taken over",
        "Another machine holds the app's lock under a later epoch. This one wrote nothing more. \
      `wavegate status` shows what the new owner does.",
    ),
    (
        "WG637",
        "interrupted",
        "The first Ctrl-C (or SIGTERM, SIGHUP) lets a release go back in order; before it has begun it \
      simply ends. The second one stops at once and leaves the aliases as they are: they are listed, \
      and `wavegate recover` puts them back from any machine.",
    ),
    (
        "WG641",
        "a scenario that is none",
        "`wavegate simulate --scenario` takes words such as `alarm-at-40%` (once the candidate has so much \
      traffic) or `unknown-at-12m-for-3m` (so long after the first shift); all forms are listed.",
    ),
    (
        "WG642",
        "a strategy that does not exist",
        "`wavegate simulate --strategy` takes a [strategies.NAME] table of the manifest or an AWS name; \
      with --component-config, the id of a component: `wavegate plugin list` lists them.",
    ),
    (
        "WG643",
        "a config that the strategy refuses",
        "--component-config takes the component's keys as one JSON object. What is wrong is listed.",
    ),
];

/// The pages about the records, other terminals and rehearsed policies (WG650 to WG660), in the order of
/// their codes.
const RECORDS: &[Entry] = &[
    (
        "WG650",
        "damaged records",
        "The file .wavegate/records.db is not what was written there: it was cut short, overwritten or \
      changed on the disk, as its checksums show. Nothing depends on it. The next release moves it aside \
      as records.db.damaged-1 (or -2, and so on) and begins a new one; it is never deleted. What can be \
      saved of it, `sqlite3 FILE .recover` saves.",
    ),
    (
        "WG651",
        "records of a newer wavegate",
        "The file .wavegate/records.db has a format that this version does not know. It is left as it is, \
      and releases go on without being recorded. Use the newer wavegate, or move the file away.",
    ),
    (
        "WG652",
        "a file that holds no records",
        "At .wavegate/records.db there is another program's database, a directory or a link. It is left as \
      it is, and releases go on without being recorded. Move it away.",
    ),
    (
        "WG653",
        "records that cannot be read or written",
        "The operating system refuses: most often the directory .wavegate belongs to somebody else or \
      cannot be written. A release goes on without being recorded.",
    ),
    (
        "WG654",
        "records that another process has locked",
        "Some process holds .wavegate/records.db for longer than wavegate waits, such as a backup or an \
      sqlite3 session with an open transaction. A release goes on without being recorded.",
    ),
    (
        "WG655",
        "records on a full disk",
        "There is no room for what a release has to tell. What was recorded until then stays; the release \
      goes on. Make room.",
    ),
    (
        "WG656",
        "records that were removed",
        "The file .wavegate/records.db was deleted or replaced while a release was being recorded. The \
      release went on; the rest of it is not recorded. The next one begins a new file.",
    ),
    (
        "WG657",
        "records that were too slow",
        "The disk did not take the last events within the time that the end of a release waits for. The \
      outcome of the release is not touched by it; its recording may break off.",
    ),
    (
        "WG658",
        "a release that is not recorded here",
        "`wavegate show` reads .wavegate/records.db, which is kept on the machine that deployed. `wavegate \
      history` lists what is recorded, and `wavegate status` asks the cloud.",
    ),
    (
        "WG659",
        "a release that ended unseen",
        "Between two looks of `wavegate watch` the release ended and another one took the app's lock. How \
      it ended is recorded on the machine that ran it; `wavegate status` shows what is served.",
    ),
    (
        "WG660",
        "a policy that cannot be rehearsed",
        "`wavegate local start --policy` takes an identity-based IAM policy as JSON: Allow and Deny, \
      Action and Resource with wildcards, and StringEquals on iam:PassedToService. What else is in it \
      is named; nothing is left out silently, because a rehearsal that ignores a part of the policy \
      proves nothing.",
    ),
];

/// The pages about recovery, control and wavegate itself (WG681 to WG694), in the order of their codes.
const ITSELF: &[Entry] = &[
    (
        "WG681",
        "a name that is none",
        "`--app` and `--alias` take the names that the manifest has: the app's, of letters, digits, `-` \
      and `_`, and the alias's.",
    ),
    (
        "WG682",
        "an app that is not found",
        "With `--app` the functions are found by the records in their aliases, and no function of this \
      account and region carries one of that app. An app that was never released has none; neither has \
      one in another region.",
    ),
    (
        "WG683",
        "a release of another manifest",
        "A release goes on only as what it was begun as: the same functions, code, configuration, \
      strategies, hooks and alarms. Check out what was deployed then, with the same profile, `--set` and \
      `--only`; or put the release back with `wavegate recover` and deploy what there is now.",
    ),
    (
        "WG684",
        "a release that is going back",
        "Once a release goes back, nothing of it goes forward again: some functions may be back already. \
      `wavegate recover` finishes the way back.",
    ),
    (
        "WG685",
        "a version that holds other code",
        "The version that the alias's record names does not hold the code that is at hand: the function \
      was deleted and made anew, or the code was changed since. Put the release back and deploy.",
    ),
    (
        "WG686",
        "nothing to retry",
        "`wavegate retry` releases once more what failed and was put back, or goes on with what froze. The \
      last release was neither.",
    ),
    (
        "WG687",
        "a retry that would be another release",
        "The lock remembers the plan of the last release. Manifest, code and cloud make another one now, so \
      this would be a new release: look at it with `wavegate plan`, and deploy it.",
    ),
    (
        "WG688",
        "no release that could be asked",
        "`abort`, `pause`, `resume` and `promote` are asked of a release that runs. None does, or it goes \
      back already, or stands still and nobody runs it: then `wavegate recover` finishes it.",
    ),
    (
        "WG689",
        "a request that had nothing to do",
        "The release heard it, and it changed nothing: it was paused already, or was not, or the function \
      neither shifts nor bakes.",
    ),
    (
        "WG690",
        "a bug",
        "Something that cannot be happened. Please report it with the command and the text. `wavegate \
      status` shows what every alias serves; what is written in the cloud is consistent at any moment.",
    ),
    (
        "WG691",
        "stdout cannot be written to",
        "A full disk, most often: the operating system's own \
      words are shown.",
    ),
    (
        "WG692",
        "a malformed log filter",
        "--log takes a level (error, warn, info, debug, trace) or TARGET=LEVEL, with commas between: \
      `--log wavegate_aws=debug,info`.",
    ),
    (
        "WG693",
        "a request that came second",
        "One request stands in a lock at a time, and a request to go back takes the place of any other. \
      Ask again once the other one is answered.",
    ),
    (
        "WG694",
        "a release that does not answer",
        "Whoever runs the release has written nothing into its lock for 90 seconds: the machine is gone, or \
      cut off. The request stays in the lock and is heard should it come back. `wavegate recover` takes the \
      release over and puts it back; `wavegate abort` does so by itself.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_page_in_order() {
        let codes: Vec<&str> = pages().map(|page| page.code).collect();
        for pair in codes.windows(2) {
            assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
        }
        for page in pages() {
            assert!(!page.title.ends_with('.') && page.text.ends_with('.'), "{}", page.code);
            assert!(page.to_string().lines().all(|line| line.chars().count() <= 100), "{page}");
        }
    }

    /// A code in these sources without a page would leave `wavegate explain` without an answer.
    #[test]
    fn every_code_that_is_raised_has_a_page() {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for source in [
            "wavegate-cli",
            "wavegate-core",
            "wavegate-package",
            "wavegate-aws",
            "wavegate-plugin-host",
        ] {
            collect(&crates.join(source).join("src"), &mut files);
        }
        let mut seen = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            // What tests make up stands behind this line.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            for (at, _) in text.match_indices("WG") {
                let Some(code) = text.get(at..at + 5) else { continue };
                if code[2..].bytes().all(|b| b.is_ascii_digit()) {
                    assert!(page(code).is_some(), "{code} in {}", file.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 50, "{seen}");
    }

    fn collect(dir: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }

    #[test]
    fn a_code_is_found_as_people_write_it() {
        for text in ["WG401", "wg401", "401", " WG401 "] {
            assert_eq!(page(text).map(|page| page.code), Some("WG401"), "{text}");
        }
        assert_eq!(page("WG999"), None);
    }

    #[test]
    fn an_unknown_code_leads_to_the_closest() {
        assert_eq!(closest("WG411").map(|page| page.code), Some("WG412"));
        assert_eq!(closest("WG499").map(|page| page.code), Some("WG418"));
        assert_eq!(closest("999").map(|page| page.code), Some("WG694"));
        assert_eq!(closest("W401").map(|page| page.code), Some("WG401"));
        assert_eq!(closest("nonsense"), None);
    }
}
