//! Listing what the kernel has: everything, as it was at one moment.
//!
//! The kernel hands a list out in pieces and lets go of its locks in between. When something changed meanwhile it says so
//! (`NLM_F_DUMP_INTR`), as entries may then be missing, or be there twice; such a list is asked for again. A list
//! without its end (`NLMSG_DONE`) is not whole either, and an error. Both would pass for a smaller list otherwise, and
//! a comparison with the desired state would repair what is not broken.

use futures_util::{Stream, StreamExt};
use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::{Netlink, NetlinkError};

/// How often a list that changes while it is read is asked for before that is an error.
const ATTEMPTS: usize = 20;

/// What came of asking once.
#[derive(Debug, PartialEq, Eq)]
enum Listed<T> {
    Whole(Vec<T>),
    Interrupted,
}

impl Netlink {
    /// Lists what `request` asks for; `read` takes the wanted part out of each message.
    pub(super) async fn dump<T>(
        &self,
        what: &'static str,
        request: RouteNetlinkMessage,
        read: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        tracing::trace!("{what}");
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        for _ in 0..ATTEMPTS {
            let answers = self.handle.clone().request(message.clone());
            let answers = answers.map_err(|e| NetlinkError::new(|| what.to_owned(), e))?;
            match collect(what, answers, &read).await? {
                Listed::Whole(list) => return Ok(list),
                Listed::Interrupted => tracing::debug!("{what}: it changed meanwhile, again"),
            }
        }
        let reason = format!("it changed each of the {ATTEMPTS} times it was read");
        Err(NetlinkError::Answer { what: what.to_owned(), reason })
    }
}

async fn collect<T>(
    what: &str,
    answers: impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>>,
    read: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> Result<Listed<T>, NetlinkError> {
    let mut answers = std::pin::pin!(answers);
    let (mut list, mut interrupted) = (Vec::new(), false);
    while let Some(answer) = answers.next().await {
        interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
        let refused = |code: i32| NetlinkError::refused(|| what.to_owned(), code.saturating_neg());
        match answer.payload {
            NetlinkPayload::InnerMessage(message) => list.extend(read(message)),
            // Its code is that of an error that the kernel met on the way (netlink(7)).
            NetlinkPayload::Done(done) if done.code < 0 => return Err(refused(done.code)),
            NetlinkPayload::Done(_) if interrupted => return Ok(Listed::Interrupted),
            NetlinkPayload::Done(_) => return Ok(Listed::Whole(list)),
            NetlinkPayload::Error(error) => return Err(refused(error.raw_code())),
            // Messages were lost, so the end may be among them.
            NetlinkPayload::Overrun(_) => return Ok(Listed::Interrupted),
            _ => {}
        }
    }
    let reason = "the connection to the kernel ended before the list did".to_owned();
    Err(NetlinkError::Answer { what: what.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::{DoneMessage, ErrorMessage, NetlinkHeader};
    use rtnetlink::packet_route::link::LinkMessage;

    use super::*;

    type Payload = NetlinkPayload<RouteNetlinkMessage>;

    fn link(index: u32) -> Payload {
        let mut message = LinkMessage::default();
        message.header.index = index;
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message))
    }

    fn done(code: i32) -> Payload {
        let mut done = DoneMessage::default();
        done.code = code;
        NetlinkPayload::Done(done)
    }

    /// What becomes of answers, each with its flags.
    fn collected(answers: Vec<(u16, Payload)>) -> Result<Listed<u32>, String> {
        let messages = answers.into_iter().map(|(flags, payload)| {
            let mut header = NetlinkHeader::default();
            header.flags = flags;
            NetlinkMessage::new(header, payload)
        });
        let index = |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(link.header.index),
            _ => None,
        };
        let stream = futures_util::stream::iter(messages);
        futures_util::FutureExt::now_or_never(collect("list links", stream, index))
            .expect("everything is there")
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_with_its_end_is_whole() {
        assert_eq!(collected(vec![(0, link(1)), (0, link(2)), (0, done(0))]), Ok(Listed::Whole(vec![1, 2])));
        assert_eq!(collected(vec![(0, done(0))]), Ok(Listed::Whole(vec![])));
    }

    #[test]
    fn a_list_that_changed_meanwhile_is_not_taken_for_whole() {
        // The mark may be on an entry, or on the end alone, when nothing came after the change.
        for at in 0..3 {
            let mut answers = vec![(0, link(1)), (0, link(2)), (0, done(0))];
            answers[at].0 = NLM_F_DUMP_INTR;
            assert_eq!(collected(answers), Ok(Listed::Interrupted), "marked at {at}");
        }
        assert_eq!(collected(vec![(0, link(1)), (0, NetlinkPayload::Overrun(Vec::new()))]), Ok(Listed::Interrupted));
    }

    #[test]
    fn a_list_without_an_end_is_an_error() {
        let broken = "list links: the connection to the kernel ended before the list did".to_owned();
        assert_eq!(collected(vec![(0, link(1))]), Err(broken.clone()));
        assert_eq!(collected(vec![]), Err(broken));
    }

    #[test]
    fn an_error_of_the_kernel_is_told_wherever_it_comes() {
        let refused = "list links: not permitted (needs CAP_NET_ADMIN in the network namespace)".to_owned();
        assert_eq!(collected(vec![(0, link(1)), (0, done(-libc::EPERM))]), Err(refused.clone()));
        let mut error = ErrorMessage::default();
        error.code = std::num::NonZeroI32::new(-libc::EPERM);
        assert_eq!(collected(vec![(0, NetlinkPayload::Error(error))]), Err(refused));
    }
}
