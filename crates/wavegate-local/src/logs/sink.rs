//! What functions log, on its way into the file.
//!
//! A function must not wait for the disk: its events go into a queue, and a task of the cloud's writes
//! them. The queue is bounded; what a function logs beyond it is lost, and a line says how much. Beside
//! the queue, events go where they went before there was a log service: into files for people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::store::{self, Group, Stream};
use super::{LogFile, filters};
use crate::clock::VirtualClock;
use crate::cloudwatch::Datum;
use crate::home::Home;
use crate::runtime::{LogFiles, LogSink, LogStream};

/// Bytes that wait to be written: more than the disk is behind by when a function logs megabytes.
const WAITING_MAX: usize = 32 << 20;

/// The way of events into [`LogFile`]. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    clock: VirtualClock,
    files: Arc<LogFiles>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: Vec<Waiting>,
    bytes: usize,
}

/// An event that waits to be written.
#[derive(Debug)]
pub(crate) struct Waiting {
    place: Arc<Place>,
    at_ms: i64,
    message: String,
}

/// A home, and the names of a group and of a stream there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    home: Home,
    group: String,
    stream: String,
}

impl Sink {
    /// A way that nothing is on yet.
    pub(crate) fn new(clock: VirtualClock, files: LogFiles) -> Self {
        Self { clock, files: Arc::new(files), shared: Arc::default() }
    }

    /// Waits until there are events.
    pub(crate) async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes out what waits to be written.
    pub(crate) fn take(&self) -> Vec<Waiting> {
        let mut queue = self.shared.queue();
        queue.bytes = 0;
        std::mem::take(&mut queue.events)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for Sink {
    fn begin(&self, home: &Home, group: &str, stream: &str) -> Box<dyn LogStream> {
        let place =
            Place { home: home.clone(), group: group.to_owned(), stream: stream.to_owned() };
        let file = self.files.begin(home, group, stream);
        Box::new(Entrance { sink: self.clone(), place: Arc::new(place), file, lost: 0 })
    }
}

/// Where the events of one stream come in.
#[derive(Debug)]
struct Entrance {
    sink: Sink,
    place: Arc<Place>,
    file: Box<dyn LogStream>,
    lost: usize,
}

impl LogStream for Entrance {
    fn event(&mut self, message: &[u8]) {
        self.file.event(message);
        let mut queue = self.sink.shared.queue();
        if queue.bytes + message.len() > WAITING_MAX {
            self.lost += 1;
            return;
        }
        let at_ms = self.sink.clock.now_ms();
        let mut add = |message: String| {
            queue.bytes += message.len();
            queue.events.push(Waiting { place: Arc::clone(&self.place), at_ms, message });
        };
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            add(format!("(the local cloud lost {lost} events here: they came too fast)\n"));
        }
        add(String::from_utf8_lossy(message).into_owned());
        drop(queue);
        self.sink.shared.changed.notify_one();
    }
}

impl LogFile {
    /// Writes what functions logged. Their groups and streams are made as AWS makes them, when there is
    /// something to write. Returns what metric filters find in it, by home. Blocks on the disk.
    pub(crate) fn write(
        &self,
        now: i64,
        events: &[Waiting],
    ) -> rusqlite::Result<BTreeMap<Home, Vec<Datum>>> {
        let mut by_place: BTreeMap<&Place, Vec<(i64, &str)>> = BTreeMap::new();
        for event in events {
            let of_place = by_place.entry(&event.place).or_default();
            of_place.push((event.at_ms, event.message.as_str()));
        }
        let mut connection = self.connection();
        let data = connection.transaction()?;
        let mut found: BTreeMap<Home, Vec<Datum>> = BTreeMap::new();
        for (place, events) in by_place {
            let home = place.home.to_string();
            let find = || Group::find(&data, &home, &place.group);
            if find()?.is_none() {
                store::make_group(&data, &home, &place.group, now)?;
            }
            let Some(group) = find()? else { continue };
            if Stream::find(&data, &group, &place.stream)?.is_none() {
                store::make_stream(&data, &group, &place.stream, now)?;
            }
            let of_group = filters::found_in(&data, &group, &events)?;
            if !of_group.is_empty() {
                found.entry(place.home.clone()).or_default().extend(of_group);
            }
            if let Some(stream) = Stream::find(&data, &group, &place.stream)? {
                store::add(&data, &group, &stream, now, events)?;
            }
        }
        data.commit()?;
        Ok(found)
    }
}
