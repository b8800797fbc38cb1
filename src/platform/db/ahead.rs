//! Reading ahead: while one page is looked at, the next is read.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Conn;
use crate::error::{Error, Result};

/// Pages that are read before they are looked at.
const AHEAD: usize = 2;

/// Has `read` send its pages from a thread of its own, and gives what `look` makes of them. Whoever looks may end it by not listening any
/// more; `read` is told by a page that cannot be sent.
pub fn read_ahead<P: Send, T>(
    conn: &mut Conn,
    read: impl FnOnce(&mut Conn, &SyncSender<P>) -> Result<()> + Send,
    look: impl FnOnce(&Receiver<P>) -> T,
) -> Result<T> {
    std::thread::scope(|scope| {
        let (sender, pages) = sync_channel(AHEAD);
        let reader = scope.spawn(move || read(conn, &sender));
        let looked = look(&pages);
        drop(pages);
        reader.join().map_err(|_| Error::internal("who reads ahead panicked"))??;
        Ok(looked)
    })
}
