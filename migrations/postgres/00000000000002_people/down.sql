DROP TABLE staff_grants;
DROP TABLE refresh_tokens;
DROP TABLE token_families;
DROP TABLE wechat_identities;
DROP TABLE people;
DROP TABLE organisations;
