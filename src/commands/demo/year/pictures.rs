//! Pictures that show something: grey squares, each a little different.

use super::super::Outcome;

const SIDE: u32 = 16;
const MEDIA: &str = "multipart/form-data; boundary=unionhall-demo-form";

/// The form that `wx.uploadFile` sends, with a picture of its own for every number.
pub(super) fn form(number: u32) -> Outcome<(&'static str, Vec<u8>)> {
    let picture = picture(number).map_err(|error| error.to_string())?;
    let mut form = Vec::new();
    let mut part = |head: &str, content: &[u8]| {
        form.extend_from_slice(format!("--unionhall-demo-form\r\n{head}\r\n\r\n").as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    };
    part("Content-Disposition: form-data; name=\"class\"", b"evidence");
    let head = format!(
        "Content-Disposition: form-data; name=\"file\"; filename=\"{number}.png\"\r\nContent-Type: image/png"
    );
    part(&head, &picture);
    form.extend_from_slice(b"--unionhall-demo-form--\r\n");
    Ok((MEDIA, form))
}

fn picture(number: u32) -> Result<Vec<u8>, png::EncodingError> {
    let shade = |place: u32| {
        let mixed = (place ^ number.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b) >> 24;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    let pixels: Vec<u8> = (0..SIDE * SIDE).map(shade).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_differ_and_are_the_same_every_time() {
        assert_eq!(form(1), form(1));
        assert_ne!(form(1).unwrap().1, form(2).unwrap().1);
    }
}
