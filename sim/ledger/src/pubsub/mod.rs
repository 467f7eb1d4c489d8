//! One WebSocket connection: its subscriptions, its place in the stream of what lands, and its end when it does not
//! read.

mod delivery;
mod subscription;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::Value;
use solana_clock::Slot;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::Instant,
};

use self::{
    delivery::Delivery,
    subscription::{Subscription, Topic},
};
use crate::{
    connection::Connection,
    leader::read,
    replica::Landed,
    rpc::{self, MAX_BATCH, error::RpcError},
};

/// Why a connection's loop ended.
#[derive(Debug, PartialEq)]
enum End {
    /// The client closed it.
    Closed,
    /// The client did not read what it subscribed to.
    TooSlow,
    /// A fault.
    Broken,
}

struct Session {
    connection: Arc<Connection>,
    subscriptions: BTreeMap<u64, Subscription>,
    last_id: u64,
    delivery: Delivery,
    out: mpsc::Sender<Message>,
    /// Bytes in the queue before the socket.
    queued: Arc<AtomicUsize>,
}

/// Serves a connection until it ends.
pub(crate) async fn run(connection: Arc<Connection>, socket: WebSocket) {
    let (sink, mut incoming) = socket.split();
    let (out, queue) = mpsc::channel(connection.core.limits.notification_backlog);
    let mut landed = connection.core.landed.subscribe();
    let mut session = Session {
        connection: Arc::clone(&connection),
        subscriptions: BTreeMap::new(),
        last_id: 0,
        delivery: Delivery::new(connection.client.dice()),
        out,
        queued: Arc::default(),
    };
    // The writer waits for the client as long as the socket lets it; the queue before it is bounded.
    let mut writer = tokio::spawn(write(sink, queue, Arc::clone(&session.queued)));
    let broken = connection.client.broken();
    tokio::pin!(broken);
    let end = loop {
        let due = session.delivery.next_due();
        let step = tokio::select! {
            () = &mut broken => Err(End::Broken),
            _ = &mut writer => Err(End::Closed),
            message = incoming.next() => match message {
                Some(Ok(Message::Text(text))) => session.requested(text.as_bytes()),
                Some(Ok(Message::Binary(bytes))) => session.requested(&bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Closed),
            },
            event = landed.recv() => match event {
                Ok(landed) => session.landed(&landed),
                Err(RecvError::Lagged(_)) => Err(End::TooSlow),
                Err(RecvError::Closed) => Err(End::Closed),
            },
            () = sleep_until(due) => session.deliver(),
        };
        if let Err(end) = step {
            break end;
        }
    };
    writer.abort();
    if end != End::Closed {
        tracing::debug!(?end, client = %connection.client.name, "a subscriber is disconnected");
        connection.reset_when_closed();
    }
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<Message>, queued: Arc<AtomicUsize>) {
    while let Some(message) = queue.recv().await {
        let mut next = Some(message);
        // One write to the socket for all that wait.
        while let Some(message) = next {
            let bytes = bytes(&message);
            if sink.feed(message).await.is_err() {
                return;
            }
            queued.fetch_sub(bytes, Ordering::Relaxed);
            next = queue.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

fn bytes(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Session {
    fn requested(&mut self, request: &[u8]) -> Result<(), End> {
        let calls = match serde_json::from_slice(request) {
            Ok(Value::Array(calls)) if calls.len() > MAX_BATCH => {
                let message = format!("a batch holds 1 to {MAX_BATCH} calls, got {}", calls.len());
                return self.send(rpc::error_text(&RpcError::invalid_request(message), &Value::Null));
            }
            Ok(Value::Array(calls)) => calls,
            Ok(call) => vec![call],
            Err(_) => return self.send(rpc::error_text(&RpcError::parse(), &Value::Null)),
        };
        for call in calls {
            let (call, id) = match rpc::read_call(call) {
                Ok(mut call) => {
                    let id = call.id.take();
                    (call, id)
                }
                Err((error, id)) => {
                    self.send(rpc::error_text(&error, &id))?;
                    continue;
                }
            };
            let slot = read(&self.connection.core.replica).history.latest();
            let (result, first) = match self.call(call, slot) {
                Ok((result, first)) => (Ok(result), first),
                Err(error) => (Err(error), Vec::new()),
            };
            if let Some(id) = id {
                self.send(match result {
                    Ok(result) => rpc::result_text(&result, &id),
                    Err(error) => rpc::error_text(&error, &id),
                })?;
            }
            self.offer(first)?;
        }
        Ok(())
    }

    /// Executes a call; returns its result and what has to be notified at once.
    fn call(&mut self, mut call: rpc::Call, slot: Slot) -> Result<(String, Vec<String>), RpcError> {
        if let Some(kind) = call.method.strip_suffix("Unsubscribe") {
            let id = call.params.required::<u64>(0, "subscription")?;
            if self.subscriptions.get(&id).is_none_or(|subscription| subscription.topic.name() != kind) {
                return Err(RpcError::invalid_params("Invalid subscription id."));
            }
            self.subscriptions.remove(&id);
            return Ok(("true".into(), Vec::new()));
        }
        let kind = call.method.strip_suffix("Subscribe").ok_or_else(RpcError::method_not_found)?;
        let topic = Topic::read(kind, call.params)?;
        let limit = self.connection.core.limits.subscriptions_per_connection;
        if self.subscriptions.len() >= limit {
            return Err(RpcError::internal(format!("a connection holds at most {limit} subscriptions")));
        }
        self.last_id += 1;
        let id = self.last_id;
        let subscription = Subscription { topic, since: slot };
        let first = subscription.already(&read(&self.connection.core.replica));
        let notifications = first.iter().map(|result| subscription.notification(id, result)).collect();
        if first.is_empty() {
            self.subscriptions.insert(id, subscription);
        }
        Ok((id.to_string(), notifications))
    }

    fn landed(&mut self, landed: &Landed) -> Result<(), End> {
        let announce_closed = self.connection.core.announce_closed;
        let mut notifications = Vec::new();
        self.subscriptions.retain(|id, subscription| {
            let results = subscription.results(landed, announce_closed);
            let told = !results.is_empty();
            let results = results.iter().flat_map(|results| results.iter());
            notifications.extend(results.map(|result| subscription.notification(*id, result)));
            !told || !subscription.topic.is_once()
        });
        self.offer(notifications)
    }

    fn offer(&mut self, notifications: Vec<String>) -> Result<(), End> {
        let faults = self.connection.client.faults().notifications;
        let now = Instant::now();
        for notification in notifications {
            self.delivery.offer(now, &faults, notification, &mut self.connection.client.hits());
        }
        let limits = &self.connection.core.limits;
        if self.delivery.len() > limits.notification_backlog || self.delivery.bytes() > limits.notification_bytes {
            return Err(End::TooSlow);
        }
        self.deliver()
    }

    fn deliver(&mut self) -> Result<(), End> {
        let now = Instant::now();
        while let Some(notification) = self.delivery.pop_due(now) {
            self.send(notification)?;
        }
        Ok(())
    }

    fn send(&self, text: String) -> Result<(), End> {
        let bytes = text.len();
        let waiting = self.queued.fetch_add(bytes, Ordering::Relaxed);
        // The first is sent whatever its length: nobody is late who has nothing to read.
        if waiting > 0 && waiting + bytes > self.connection.core.limits.notification_bytes {
            return Err(End::TooSlow);
        }
        self.out.try_send(Message::text(text)).map_err(|_| End::TooSlow)
    }
}
