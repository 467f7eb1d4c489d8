//! Makes many nodes at once: a few threads, each of which goes from one fresh namespace to the next.
//!
//! The kernel builds most of a namespace outside its global locks, so threads help, but not more than there are CPUs.

use tokio::sync::oneshot;

use crate::error::LabError;
use crate::name::NodeName;
use crate::node::{NewNode, Node, NodeError, NodeSpec};

type Made = Result<Vec<(Node, NewNode)>, (NodeName, NodeError)>;

/// Makes the nodes, in order.
pub(crate) async fn make_nodes(specs: Vec<NodeSpec>) -> Result<Vec<(Node, NewNode)>, LabError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = specs.len().div_ceil(threads).max(1);
    let mut waiting = Vec::new();
    let mut specs = specs.into_iter();
    loop {
        let part: Vec<_> = specs.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        let (done, made) = oneshot::channel();
        // Not a thread of the runtime's pool: it ends in another namespace than it began in.
        std::thread::Builder::new()
            .name("make-nodes".to_owned())
            .spawn(move || {
                // Whoever asked may have stopped waiting.
                let _ = done.send(make(part));
            })
            .map_err(|source| LabError::Io { what: "start a thread".to_owned(), source })?;
        waiting.push(made);
    }
    let mut nodes = Vec::new();
    for made in waiting {
        let made = made.await.map_err(|_| LabError::Io {
            what: "make nodes".to_owned(),
            source: std::io::Error::other("the thread panicked"),
        })?;
        nodes.extend(made.map_err(|(name, error)| LabError::Node(name, error))?);
    }
    Ok(nodes)
}

fn make(specs: Vec<NodeSpec>) -> Made {
    let Some(first) = specs.first().map(|spec| spec.name.clone()) else { return Ok(Vec::new()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| (first, dz_net::netns::NetNsError::Thread(e).into()))?;
    specs.into_iter().map(|spec| Node::create(spec, &runtime)).collect()
}
