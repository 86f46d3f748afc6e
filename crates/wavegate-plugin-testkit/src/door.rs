//! An address on this machine where nobody is of help: for finding out what a component does when
//! its source of data is not there, or does not answer.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::Value;
use wavegate_plugin_protocol::CloudAccess;

/// What happens to those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// The connection is closed at once.
    Slams,
    /// Nothing is ever said.
    Silent,
}

/// Open until it is dropped.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    shared: Arc<Shared>,
    watching: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    knocks: AtomicU64,
    is_over: AtomicBool,
}

impl Door {
    pub(crate) fn open(manners: Manners) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let watching = thread::Builder::new().name("door".to_owned()).spawn(move || {
            let mut guests = Vec::new();
            for guest in listener.incoming() {
                if seen.is_over.load(Ordering::Acquire) {
                    return;
                }
                seen.knocks.fetch_add(1, Ordering::AcqRel);
                if manners == Manners::Silent {
                    guests.push(guest);
                }
            }
        })?;
        Ok(Self { address, shared, watching: Some(watching) })
    }

    /// How many connections were made.
    pub(crate) fn knocks(&self) -> u64 {
        self.shared.knocks.load(Ordering::Acquire)
    }

    /// A cloud that is behind this door.
    pub(crate) fn cloud(&self) -> CloudAccess {
        CloudAccess {
            region: "eu-west-1".to_owned(),
            endpoint_url: Some(format!("http://{}", self.address)),
            // No credentials of the user's are sent.
            local: true,
            ..CloudAccess::default()
        }
    }

    /// The same config with every URL in it leading to this door.
    pub(crate) fn behind(&self, config: &Value) -> Value {
        match config {
            Value::String(text) => Value::String(self.behind_url(text)),
            Value::Array(items) => items.iter().map(|item| self.behind(item)).collect(),
            Value::Object(keys) => {
                keys.iter().map(|(key, value)| (key.clone(), self.behind(value))).collect()
            }
            other => other.clone(),
        }
    }

    fn behind_url(&self, text: &str) -> String {
        let Some((scheme @ ("http" | "https"), rest)) = text.split_once("://") else {
            return text.to_owned();
        };
        let path = rest.find(['/', '?', '#']).map_or("", |place| &rest[place..]);
        format!("{scheme}://{}{path}", self.address)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Wakes the one who watches.
        if TcpStream::connect(self.address).is_ok()
            && let Some(watching) = self.watching.take()
        {
            let _ = watching.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn urls_lead_to_the_door_and_other_texts_stay() {
        let door = Door::open(Manners::Silent).unwrap();
        let at = door.address;
        let config = json!({
            "url": "https://user@prometheus.example.com:9090/api/v1?x=1",
            "urls": ["http://a"],
            "query": "a/b", "max": 1, "odd": "ftp://x/y",
        });
        assert_eq!(
            door.behind(&config),
            json!({
                "url": format!("https://{at}/api/v1?x=1"),
                "urls": [format!("http://{at}")],
                "query": "a/b", "max": 1, "odd": "ftp://x/y",
            })
        );
    }

    #[test]
    fn a_slammed_door_is_noticed_on_both_sides() {
        let door = Door::open(Manners::Slams).unwrap();
        let mut guest = TcpStream::connect(door.address).unwrap();
        assert_eq!(guest.read(&mut [0]).unwrap(), 0);
        assert_eq!(door.knocks(), 1);
    }
}
