// Sends each request that comes as a line of JSON with @alicloud/pop-core, and
// answers with a line.
'use strict';
const Core = require('@alicloud/pop-core');

const client = new Core({
  accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
  accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  endpoint: process.env.EHPC_ENDPOINT,
  apiVersion: '2018-04-12',
});

require('readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  const { action, params, method } = JSON.parse(line);
  const out = {};
  try {
    out.answer = await client.request(action, params, { method });
  } catch (e) {
    // A refusal carries the answer; anything else is the client's own trouble.
    out.refused = { Code: e.code, Message: e.message, Status: e.data && e.entry ? e.entry.response.statusCode : 0 };
    out.data = e.data;
  }
  process.stdout.write(JSON.stringify(out) + '\n');
});
