//! What people write to the desk, as the content check asks for it: messages, and answers to forms.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::chain::{Answers, FieldKind, FormField};
use super::deciding::Desk;
use super::model::{MESSAGE_TEXT, Review};
use super::store;
use crate::content::Source;
use crate::content::checking::{self, Asked, Judge};
use crate::error::{Error, Result};
use crate::ids::{FileId, ReviewId, ReviewMessageId};
use crate::platform::db::Conn;
use crate::platform::db::schema::review_messages;
use crate::platform::vault::Vault;

/// Messages; the field is [`TEXT`].
pub const MESSAGE: &str = "review.message";
/// Answers to forms; the field is the form's.
pub const FORM: &str = "review.form";
/// The one field of a message.
pub const TEXT: &str = "text";

/// Gives messages.
pub struct MessageTexts {
    /// Opens them.
    pub vault: Vault,
}

impl Source for MessageTexts {
    fn room(&self) -> &'static str {
        MESSAGE
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, _: &str) -> Result<Option<String>> {
        let found = review_messages::table.find(ReviewMessageId(row)).select(review_messages::text_sealed);
        let Some(sealed) = found.first::<String>(conn).optional()? else { return Ok(None) };
        let plain = self.vault.open(MESSAGE_TEXT, row.as_bytes(), &sealed).map_err(Error::internal)?;
        Ok(Some(plain.expose_secret().to_owned()))
    }
}

/// Gives answers to forms.
pub struct FormTexts {
    /// Opens them.
    pub desk: Desk,
}

impl Source for FormTexts {
    fn room(&self) -> &'static str {
        FORM
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, field: &str) -> Result<Option<String>> {
        let review = store::get(conn, ReviewId(row))?;
        Ok(self.desk.answers(&review)?.remove(field))
    }
}

/// Leaves out of a form what only the applicant is shown. An appeal has the form of what it is against.
pub(super) fn keep_back(conn: &mut Conn, review: &Review, form: &mut Answers) -> Result<()> {
    for ((_, field), why) in checking::withheld(conn, FORM, &[review.id.0, review.root_id.0])? {
        if let Some(answer) = form.get_mut(&field) {
            *answer = why.instead().to_owned();
        }
    }
    Ok(())
}

impl Desk {
    /// Has the texts and the pictures of `given` checked.
    pub(super) fn checked_in_tx(
        &self,
        conn: &mut Conn,
        form: &[FormField],
        given: &Answers,
        review: &Review,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let judge = Judge::Organisation(review.employer_id);
        for field in form.iter().filter(|field| field.kind == FieldKind::Text) {
            if given.get(&field.key).is_some_and(|answer| !answer.trim().is_empty()) {
                let asked = Asked {
                    room: FORM,
                    row: review.id.0,
                    field: &field.key,
                    person: review.applicant_id,
                    judge,
                };
                self.checks.ask_in_tx(conn, asked, now)?;
            }
        }
        let files: Vec<FileId> = super::chain::files(form, given).into_iter().map(FileId).collect();
        self.checks.pictures_in_tx(conn, &files, review.applicant_id, judge, now)
    }
}
