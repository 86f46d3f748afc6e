//! What a person asked for in a terminal, into the local records: who, what, when and why, and what
//! became of it. Best effort: no request waits for its record, and none fails for want of one.

use wavegate_core::inventory::Inventory;
use wavegate_core::token::LockRecord;
use wavegate_report::records::{Asking, Request};

use crate::Context;
use crate::error::CliError;
use crate::journal;
use crate::release::recordings;
use crate::target::Stage;

/// A request that is being recorded.
pub(crate) struct Asked {
    asking: Asking,
    console: crate::console::Console,
}

/// What is asked for.
pub(crate) struct About<'a> {
    /// The verb, as it is typed.
    pub(crate) verb: &'a str,
    /// The function it is about, if it is about one.
    pub(crate) function: Option<String>,
    /// The release it is about.
    pub(crate) lock: &'a LockRecord,
    /// Why, in that person's words.
    pub(crate) reason: Option<&'a str>,
}

impl Asked {
    /// Begins to record a request.
    pub(crate) fn begin(
        context: &Context,
        manifest: &wavegate_config::Manifest,
        (stage, inventory): (&Stage, &Inventory),
        about: &About<'_>,
    ) -> Self {
        let request = Request {
            app: manifest.app.name.to_string(),
            target: stage.words(inventory),
            release: Some(about.lock.release.to_string()),
            number: Some(about.lock.number),
            verb: about.verb.to_owned(),
            function: about.function.clone(),
            by: context.environment.owner(),
            reason: about.reason.map(str::to_owned),
            at_ms: stage.clock.now_ms(),
        };
        let asking = Asking::begin(recordings(manifest), request);
        Self { asking, console: context.console }
    }

    /// Records what became of it.
    pub(crate) fn end(self, result: &Result<(), CliError>) {
        let words = match result {
            Ok(()) => "done".to_owned(),
            Err(error) => error.message.clone(),
        };
        if let Err(error) = self.asking.end(&words) {
            self.console.warning(&journal::problem(&error));
        }
    }
}
