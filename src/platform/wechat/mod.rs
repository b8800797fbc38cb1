//! WeChat: a thin client of the mini-program server API, and a simulator of it that speaks real HTTP.
//!
//! The client knows the few calls that this backend makes and what their failures mean ([`Meaning`]).
//! The simulator behaves as the service does, oddities included; `docs/WECHAT-SIMULATOR.md` lists them.

mod client;
mod content;
mod errcode;
mod error;
pub mod push;
mod reply;
pub mod simulator;
mod xml;

#[cfg(test)]
mod tests;

pub use client::{WechatClient, WechatConfig, WechatPhone, WechatSession};
pub use content::{Advice, CheckScene, Verdict};
pub use errcode::{Meaning, WhoActs, meaning};
pub use error::WechatError;
