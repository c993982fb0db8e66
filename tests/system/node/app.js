// A module in Node.js, written as the SDK's own samples are: readings above a limit go out as alerts.
'use strict';

const { Message, ModuleClient } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

async function main() {
  const client = await ModuleClient.fromEnvironment(Mqtt);
  await client.open();
  const twin = await client.getTwin();
  let limit = 50;

  // Fires at once with the whole of the desired properties, then with each patch.
  twin.on('properties.desired', (desired) => {
    limit = desired.limit ?? limit;
    twin.properties.reported.update({ limit, seen: desired.$version }, (error) => {
      if (error) console.error(`reporting failed: ${error}`);
    });
  });

  client.on('inputMessage', (input, message) => {
    const reading = JSON.parse(message.getData());
    if (reading.temperature > limit) {
      const alert = new Message(JSON.stringify({ ...reading, input }));
      alert.messageId = message.messageId;
      alert.contentType = 'application/json';
      alert.contentEncoding = 'utf-8';
      alert.properties.add('kind', 'hot');
      alert.properties.add('place', 'hall 1 / press & saw');
      client.sendOutputEvent('alerts', alert, (error) => {
        if (error) console.error(`sending failed: ${error}`);
      });
    }
    client.complete(message);
  });

  client.onMethod('getLimit', (request, response) => response.send(200, { limit, asked: request.payload }));

  // Module to module: HTTPS on port 443 of the gateway.
  client.onMethod('ask', async (request, response) => {
    const call = { methodName: request.payload.method, payload: 'from ask', responseTimeoutInSeconds: 5 };
    try {
      const answer = await client.invokeMethod(process.env.IOTEDGE_DEVICEID, request.payload.module, call);
      response.send(200, answer);
    } catch (error) {
      response.send(502, String(error));
    }
  });

  process.on('SIGTERM', () => client.close(() => process.exit(0)));
  console.log('ready');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
