//! `demo`
use crate::app::StartError;
use crate::config::Config;

pub(super) fn demo(_: &Config, _: Option<String>, _: String, _: u32) -> Result<bool, StartError> {
    Ok(false)
}
