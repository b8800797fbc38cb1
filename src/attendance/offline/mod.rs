//! The door without a signal.
//!
//! ```text
//! device:    enrolled ──task at a session──▶ may fetch the session's list ──revoke──▶ revoked, whatever it still sends counts nowhere
//! list:      issued ──expires (an hour after the door closes)──▶ scans after that are refused
//! scans:     ──upload, any order, any split, any repetition──▶ accepted | duplicate | conflict | rejected
//! conflict:  open ──approve──▶ approved (counts)
//!              │ ├──reject──▶ rejected (does not count)
//!              └─what came later answers it──▶ dissolved
//! ```
//! A device keeps a list of hashes and masked names ([`bundle`]) and what it scanned. The scans of a session are settled anew from all of
//! them at each upload ([`settling`]), so the state is a function of what was scanned. The pass itself proves when it was shown; a forged
//! one is found out at the upload. How a client does its part stands in `docs/OFFLINE.md`.

pub mod api;
pub mod bundle;
pub mod conflicts;
pub mod device_api;
pub mod devices;
pub mod facts;
pub mod settling;
pub mod uploading;
