// An OpenID Connect provider that isn't ours, with its development forms: any login will
// do. Its paths are those of a user pool of Cognito, so that it can stand for one.
import fs from 'node:fs';
import https from 'node:https';
import Provider from 'oidc-provider';

const { PORT, CERT, KEY, CALLBACK } = process.env;
const issuer = `https://localhost:${PORT}`;
const client = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] };
const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: 'header', client_secret: 'a secret/with:odd+characters', token_endpoint_auth_method: 'client_secret_basic' },
    { ...client, client_id: 'body', client_secret: 'another one, of at least 32 characters', token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'HS256' },
    { ...client, client_id: 'pool-client', token_endpoint_auth_method: 'none' },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.test`, email_verified: true }) }),
  cookies: { keys: ['a key of the test'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'HS256'] },
  routes: { authorization: '/oauth2/authorize', token: '/oauth2/token', userinfo: '/oauth2/userInfo' },
  scopes: ['openid', 'offline_access', 'email'],
  ttl: { AccessToken: 2, Grant: 600, IdToken: 600, Interaction: 600, RefreshToken: 600, Session: 600 },
});
https.createServer({ cert: fs.readFileSync(CERT), key: fs.readFileSync(KEY) }, provider.callback()).listen(PORT, '127.0.0.1', () => console.log('ready'));
