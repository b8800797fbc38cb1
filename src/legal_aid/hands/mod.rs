//! Hands of legal aid: stations and lawyers, whose turn it is, who has to keep away, other lawyers, and referrals elsewhere.
//!
//! ```text
//! lawyer change:  asked ──grant──▶ granted      referral:  proposed ──consent──▶ consented ──send──▶ sent ──accept──▶ accepted
//!                   ├──refuse──▶ refused                      └──decline──▶ declined                     ├──reject──▶ rejected
//!                   └──withdraw──▶ withdrawn                consented ──decline──▶ declined              └──return──▶ returned
//! ```
//! What is accepted elsewhere may still be returned. A conflict is found by keyed hashes over all cases ([`conflicts`]): it says which kind
//! it is, never which case. The stations that are open are what a figure of item 11 is held against ([`stations::open_parts`]).

pub mod change_api;
pub mod changes;
pub mod conflicts;
pub mod lawyer_api;
pub mod lawyers;
pub mod model;
pub mod referral_api;
pub mod referrals;
pub mod rota;
pub mod rota_api;
pub mod sealing;
pub mod station_api;
pub mod stations;
pub mod turns;

use secrecy::ExposeSecret;

use crate::error::{Error, Result};
use crate::platform::vault::{Field, Vault};

/// Seals a text for a column of a row.
pub(super) fn sealed(vault: &Vault, field: Field, row: &[u8], text: &str) -> Result<String> {
    vault.seal(field, row, text).map_err(Error::internal)
}

/// Opens it.
pub(super) fn opened(vault: &Vault, field: Field, row: &[u8], text: &str) -> Result<String> {
    Ok(vault.open(field, row, text).map_err(Error::internal)?.expose_secret().to_owned())
}
