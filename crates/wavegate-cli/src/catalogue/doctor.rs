//! The pages about `doctor` and `conformance` (WG665 to WG679).

use super::Entry;

/// In the order of their codes.
pub(super) const PAGES: &[Entry] = &[
    (
        "WG665",
        "a split alias without an owner",
        "An alias sends a share of its traffic to a second version, and no release that runs owns that: a \
      CodeDeploy deployment that was stopped leaves it so, or a person. Every later deploy refuses until \
      it is decided. `wavegate doctor --heal` sends everything to the main version, `--to candidate` to \
      the other one; it writes under the alias's revision id, so a change meanwhile is never \
      overwritten.",
    ),
    (
        "WG666",
        "a record that was left in an alias",
        "The description of an alias still holds the record of a release that is over, or of another \
      app's. A record of this app is replaced by your own description, which the pin alias kept, by \
      `wavegate doctor --heal`; no traffic moves. One of another app means that two manifests have the \
      same function: take it out of one of them.",
    ),
    (
        "WG667",
        "a release that has not ended",
        "The app's lock says that a release is under way or stopped in the middle. `wavegate doctor` \
      listens for its owner for as long as a lease lasts (90 seconds). If nothing is heard, \
      `wavegate recover` brings the release to an end, from any machine. Nothing is healed meanwhile.",
    ),
    (
        "WG668",
        "an alias on $LATEST",
        "An alias that points at $LATEST changes with every upload, and there is no version to go back \
      to. Publish a version and point the alias at it, with the commands that are shown.",
    ),
    (
        "WG669",
        "traffic to a version that cannot serve",
        "An alias routes to a version that does not exist or does not start. Which version is right only \
      a person can say; the command for the most likely one is shown.",
    ),
    (
        "WG670",
        "a pin alias that is missing or wrong",
        "The pin alias keeps the version that was replaced from being deleted. It points at nothing that \
      exists, at $LATEST, or is gone. `wavegate doctor --heal` points it at the version to go back to \
      where that is known, else at the one that is served: then `wavegate rollback` leaves the function \
      alone.",
    ),
    (
        "WG671",
        "a trigger that calls past the alias",
        "An event source mapping, a function URL or a permission reaches the function itself or a fixed \
      version. No release moves that traffic: it sees new code at the wrong moment or never. The command \
      that moves it is shown. wavegate does not do it: a trigger belongs to the tool that made it, which \
      would put it back, and moving one moves production traffic past every strategy.",
    ),
    (
        "WG672",
        "versions that Lambda will not split traffic between",
        "Both versions of a weighted alias must have the same execution role and the same dead-letter \
      target, or none. Release the change once with `strategy = \"AllAtOnce\"`, or make them the same.",
    ),
    (
        "WG673",
        "provisioned concurrency in the wrong place",
        "On an alias with weights it is spread over both versions and cannot be changed; on a version \
      that no alias routes to it costs money and serves nothing. The command that takes it away is \
      shown. For some minutes after a change of version AWS itself routes such an alias to the old \
      version: that is told, and passes.",
    ),
    (
        "WG674",
        "something is wrong and was not mended",
        "`wavegate doctor` found what it lists. Findings that it can mend say so: `wavegate doctor \
      --heal`. The others name the command that does.",
    ),
    (
        "WG675",
        "something could not be mended",
        "A heal was refused, was overtaken by somebody else's change, or was not seen to land. Nothing \
      that was not seen was overwritten. Look again with `wavegate doctor`.",
    ),
    (
        "WG676",
        "conformance cannot begin",
        "On AWS the throw-away function needs an execution role (`--role ARN`), which Lambda must be \
      allowed to assume and which may be allowed nothing; and its name must be legal: \
      `--function-prefix` takes letters, digits, `-` and `_`.",
    ),
    (
        "WG677",
        "an endpoint that does not do what wavegate relies on",
        "wavegate's promises lean on a few things that Lambda does, first of all that an update under a \
      stale revision id is refused. This endpoint does otherwise; what, is listed. A release there may \
      work, but not be as safe as on AWS: two writers could overwrite each other.",
    ),
    (
        "WG678",
        "the throw-away function is still there",
        "`wavegate conformance` could not delete the function it made. Delete it with the command that is \
      shown; nothing else was made.",
    ),
    (
        "WG679",
        "something could not be looked at",
        "`wavegate doctor` was refused a read, or the endpoint does not offer it. Nothing is said about \
      that part, and it is not taken for healthy. Which permissions it needs, docs/guides/aws.md tells.",
    ),
];
