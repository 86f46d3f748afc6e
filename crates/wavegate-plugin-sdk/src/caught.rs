//! Panics of components, caught and told instead of printed.
//!
//! A library has its own copy of the standard library, so the host's panic hook never runs for what
//! panics in here; linked in, the host's hook must keep running for everything else. So the hook
//! that is installed here takes only what panics inside [`caught`], and passes on the rest.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// What it said.
    pub(crate) message: String,
    /// The file, the line and the column, if the hook was installed.
    pub(crate) place: Option<String>,
}

thread_local! {
    /// Whether this thread is inside of [`caught`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic inside of it was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs the hook, once per copy of this library.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            // Where a panic aborts, nothing is caught: these are the last words of the process.
            if cfg!(panic = "unwind") && INSIDE.get() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                before(info);
            }
        }));
    });
}

/// Runs `work` and catches its panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outside = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outside);
    result.map_err(|payload| Panicked { message: message(payload), place: PLACE.take() })
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    // Dropping a payload can panic again, outside of every fence.
    std::mem::forget(payload);
    message
}

/// A future each of whose polls is [`caught`]. After a panic it must not be polled again.
pub(crate) struct Caught<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match caught(|| self.0.as_mut().poll(cx)) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        install_hook();
        let panicked = caught(|| panic!("no {}", "way")).unwrap_err();
        assert_eq!(panicked.message, "no way");
        assert!(panicked.place.is_some_and(|place| place.contains("caught.rs:")));
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn a_payload_that_is_no_text_is_told_too() {
        let panicked = caught(|| std::panic::panic_any(7)).unwrap_err();
        assert_eq!(panicked.message, "no message");
    }

    #[test]
    fn what_panics_inside_of_a_nested_call_leaves_the_outer_one_guarded() {
        install_hook();
        let inner = caught(|| {
            let inner = caught(|| panic!("inner"));
            assert!(INSIDE.get());
            inner
        });
        assert_eq!(inner.unwrap().unwrap_err().message, "inner");
        assert!(!INSIDE.get());
    }
}
