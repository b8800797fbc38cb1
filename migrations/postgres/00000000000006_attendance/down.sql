DROP TABLE checkin_attempts;
DROP TABLE attendances;
