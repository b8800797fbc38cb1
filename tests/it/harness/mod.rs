//! What the suite stands on: private servers, a database of its own for every test, a running application,
//! and actors who talk to it over HTTP.
//!
//! A test is an `async fn(app: TestApp)`, registered once by name in its file:
//!
//! ```ignore
//! pub const TESTS: &[Test] = tests![the_last_place_is_given_once];
//!
//! async fn the_last_place_is_given_once(app: TestApp) {
//!     let activity = app.activity(|a| a.capacity(1)).await;
//!     let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
//!     zhang.sign_up(&activity).await.ok(201);
//!     li.sign_up(&activity).await.problem(409, "signup_full");
//!     app.run_jobs().await;
//! }
//! ```
//!
//! Time stands still at [`app::START`] until the test moves `app.clock()`. Jobs run when the test says so. After the
//! test the harness looks: no job may be left due or have failed, no answer may have been a 5xx or other than the
//! OpenAPI document says, and the ledger and the audit chain must verify.

#![allow(dead_code, reason = "a helper may wait for the test that needs it")]

pub mod actor;
pub mod app;
pub mod document;
pub mod factory;
pub mod ground;
pub mod servers;
#[macro_use]
pub mod suite;
pub mod verdict;

#[allow(unused_imports, reason = "for the rooms of tests")]
pub use actor::{Actor, Reply};
pub use app::TestApp;
pub use suite::Test;

/// A port that stays free until a server of the test's own takes it, and between two starts of that server: below the
/// range from which the system gives ports to clients and to port 0, and never given twice in this process.
pub fn quiet_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let offset = std::process::id().wrapping_mul(97);
    loop {
        let turn = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = 20_000 + u16::try_from(offset.wrapping_add(turn) % 12_000).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
