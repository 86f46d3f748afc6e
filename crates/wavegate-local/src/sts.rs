//! STS: `GetCallerIdentity`, over the query protocol. Whoever asks may know who they are: as on AWS
//! it takes no permission.

use crate::wire::{Answer, Request};

/// Answers a request of the query protocol whose `Action` is `action`.
pub(crate) fn answer(
    request: &Request,
    action: &str,
    (account, caller): (&str, &str),
    request_id: &str,
) -> Answer {
    if action != "GetCallerIdentity" {
        return error(
            400,
            "InvalidAction",
            &format!("The local cloud's STS offers GetCallerIdentity only, not {action}"),
            request_id,
        );
    }
    if request.param("Version").is_some_and(|version| version != "2011-06-15") {
        return error(400, "InvalidAction", "Unknown API version: use 2011-06-15", request_id);
    }
    Answer::xml(
        200,
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult><Arn>{caller}</Arn>\
             <UserId>{account}</UserId><Account>{account}</Account></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>"
        ),
    )
}

/// An error of the query protocol.
pub(crate) fn error(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let message = quick_xml::escape::escape(message);
    Answer::xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
             <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>"
        ),
    )
}
