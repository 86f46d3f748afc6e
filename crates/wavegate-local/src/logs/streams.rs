//! Streams: made, shown, deleted.

use serde_json::{Value, json};

use super::input::Asked;
use super::page::page;
use super::store::{self, Group, Stream};
use super::{Desk, Refusal, exists, invalid};

impl Desk<'_> {
    pub(super) fn create_stream(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        let name = asked.log_stream_name.as_str();
        if Stream::find(self.data, &group, name)?.is_some() {
            return Err(exists("log stream"));
        }
        store::make_stream(self.data, &group, name, self.now)?;
        Ok(Value::Null)
    }

    pub(super) fn delete_stream(&self, asked: &Asked) -> Result<Value, Refusal> {
        let group = self.group(asked.group_name()?)?;
        let stream = Stream::get(self.data, &group, &asked.log_stream_name)?;
        self.data.execute("delete from log_stream where id = ?1", [stream.id])?;
        store::weigh(self.data, group.id)?;
        Ok(Value::Null)
    }

    pub(super) fn describe_streams(&self, asked: &Asked) -> Result<Value, Refusal> {
        let by_time = asked.order_by.as_deref() == Some("LastEventTime");
        if by_time && asked.log_stream_name_prefix.is_some() {
            return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let group = self.group(asked.group_name()?)?;
        let prefix = asked.log_stream_name_prefix.as_deref().unwrap_or_default();
        let mut streams: Vec<(String, Value)> = Stream::all(self.data, &group)?
            .into_iter()
            .filter(|stream| stream.name.starts_with(prefix))
            .map(|stream| (key(&stream, by_time), self.show_stream(&group, &stream)))
            .collect();
        streams.sort_by(|(one, _), (other, _)| one.cmp(other));
        if asked.descending {
            streams.reverse();
        }
        page("logStreams", asked, streams)
    }

    fn show_stream(&self, group: &Group, stream: &Stream) -> Value {
        let mut shown = json!({
            "logStreamName": stream.name,
            "creationTime": stream.created_ms,
            "arn": format!("{}:log-stream:{}", self.home.log_group(&group.name), stream.name),
            "storedBytes": 0,
        });
        for (member, time) in [
            ("firstEventTimestamp", stream.first_ms),
            ("lastEventTimestamp", stream.last_ms),
            ("lastIngestionTime", stream.ingested_ms),
        ] {
            if let Some(time) = time {
                shown[member] = time.into();
            }
        }
        if stream.last_ms.is_some() {
            shown["uploadSequenceToken"] = upload_token(stream.id).into();
        }
        shown
    }
}

/// AWS: the token has been of no meaning since 2023, and is still there.
pub(super) fn upload_token(stream: i64) -> String {
    format!("{stream:056}")
}

/// What streams are ordered by. One without events counts by when it was made.
fn key(stream: &Stream, by_time: bool) -> String {
    if by_time {
        format!("{:020} {}", stream.last_ms.unwrap_or(stream.created_ms), stream.name)
    } else {
        stream.name.clone()
    }
}
