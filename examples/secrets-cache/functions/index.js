// A FunctionGraph function that reads a secret from the cache.

const { readFile } = require('node:fs/promises');
const { setTimeout } = require('node:timers/promises');

const address = process.env.FG_SECRETS_ADDRESS ?? '127.0.0.1:2773';
const tokenFile = process.env.FG_SECRETS_TOKEN_FILE ?? '/tmp/fg-secrets-cache.token';

async function request(name) {
    const token = process.env.FG_SECRETS_TOKEN ?? (await readFile(tokenFile, 'utf8'));
    const headers = { 'X-Secrets-Token': token };
    return fetch(`http://${address}/secrets/${name}`, { headers });
}

/** Returns the value of a secret. The cache has it in memory, so ask for it whenever you need it. */
async function secret(name) {
    let response;
    for (let attempt = 1; !response; attempt++) {
        try {
            response = await request(name);
        } catch (error) {
            // The function may start before the extension is ready.
            if (attempt >= 100) throw error;
            await setTimeout(50);
        }
    }
    const text = await response.text();
    if (!response.ok) throw new Error(`cannot read the secret ${name}: ${text}`);
    return text;
}

exports.handler = async () => {
    const password = await secret('db/password');
    return { statusCode: 200, body: `the password has ${password.length} characters` };
};
