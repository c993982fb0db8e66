// What a fleet needs in Azure: the hub, provisioning, storage for models and for what arrives, routing.
//
//   az deployment group create --resource-group GROUP --template-file infra/main.bicep --parameters name=plant
//
// docs/guides/fleet.md says what each part is for. Messages are routed by what docs/formats/messages.md promises: the
// property `kind` of every message, and of an alert also its body, which is a JSON object in UTF-8.

@description('Begins the names of all resources: small letters and digits.')
@minLength(3)
@maxLength(11)
param name string

@description('Where they are.')
param location string = resourceGroup().location

@description('Tier of the hub. docs/scale.md says how many units of which a fleet needs.')
@allowed([
  'S1'
  'S2'
  'S3'
])
param tier string = 'S1'

@description('Units of that tier.')
@minValue(1)
@maxValue(200)
param units int = 1

@description('Days that arrived messages are kept as blobs.')
@minValue(1)
param keepDays int = 90

var unique = toLower('${name}${uniqueString(resourceGroup().id)}')
var storageName = take(unique, 24)
var alertsContainer = 'alerts'
var samplesContainer = 'samples'
var aggregatesContainer = 'aggregates'
var modelsContainer = 'models'
var blobContributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'ba92f5b4-2d11-453d-a403-e96b0029c9fe')
var eventSender = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '2b629674-e913-4c01-ae53-ef4638d8f975')

// The hub writes as this identity: no key of storage or of the event hub stands anywhere.
resource writer 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-writer'
  location: location
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: storageName
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for container in [
  alertsContainer
  samplesContainer
  aggregatesContainer
  modelsContainer
]: {
  parent: blobs
  name: container
  properties: {
    publicAccess: 'None'
  }
}]

// Models stay; what arrived goes after so many days.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: storage
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'arrivals'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                alertsContainer
                samplesContainer
                aggregatesContainer
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: keepDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource events 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: '${unique}-events'
  location: location
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: 1
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource alerts 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: events
  name: 'alerts'
  properties: {
    messageRetentionInDays: 7
    partitionCount: 4
  }
}

resource writesBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, writer.id, blobContributor)
  scope: storage
  properties: {
    principalId: writer.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: blobContributor
  }
}

resource sendsEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(events.id, writer.id, eventSender)
  scope: events
  properties: {
    principalId: writer.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: eventSender
  }
}

resource hub 'Microsoft.Devices/IotHubs@2023-06-30' = {
  name: '${name}-hub'
  location: location
  sku: {
    name: tier
    capacity: units
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${writer.id}': {}
    }
  }
  properties: {
    minTlsVersion: '1.2'
    eventHubEndpoints: {
      events: {
        partitionCount: 4
        retentionTimeInDays: 7
      }
    }
    routing: {
      endpoints: {
        eventHubs: [
          {
            name: 'alerts-live'
            authenticationType: 'identityBased'
            identity: {
              userAssignedIdentity: writer.id
            }
            endpointUri: 'sb://${events.name}.servicebus.windows.net'
            entityPath: alerts.name
          }
        ]
        storageContainers: [
          {
            name: 'alerts-kept'
            authenticationType: 'identityBased'
            identity: {
              userAssignedIdentity: writer.id
            }
            endpointUri: storage.properties.primaryEndpoints.blob
            containerName: alertsContainer
            encoding: 'JSON'
            fileNameFormat: '{iothub}/{YYYY}/{MM}/{DD}/{HH}/{mm}-{partition}.json'
            batchFrequencyInSeconds: 60
            maxChunkSizeInBytes: 10485760
          }
          {
            name: 'samples-kept'
            authenticationType: 'identityBased'
            identity: {
              userAssignedIdentity: writer.id
            }
            endpointUri: storage.properties.primaryEndpoints.blob
            containerName: samplesContainer
            encoding: 'Avro'
            fileNameFormat: '{iothub}/{YYYY}/{MM}/{DD}/{HH}/{mm}-{partition}.avro'
            batchFrequencyInSeconds: 300
            maxChunkSizeInBytes: 104857600
          }
          {
            name: 'aggregates-kept'
            authenticationType: 'identityBased'
            identity: {
              userAssignedIdentity: writer.id
            }
            endpointUri: storage.properties.primaryEndpoints.blob
            containerName: aggregatesContainer
            encoding: 'JSON'
            fileNameFormat: '{iothub}/{YYYY}/{MM}/{DD}/{HH}/{mm}-{partition}.json'
            batchFrequencyInSeconds: 300
            maxChunkSizeInBytes: 104857600
          }
        ]
      }
      routes: [
        {
          // What somebody should hear of now. The body is asked, too: a raised one, not an update of it.
          name: 'alerts-live'
          source: 'DeviceMessages'
          condition: 'kind = \'alert\' AND $body.state = \'raised\' AND (severity = \'warning\' OR severity = \'critical\')'
          endpointNames: [
            'alerts-live'
          ]
          isEnabled: true
        }
        {
          name: 'alerts-kept'
          source: 'DeviceMessages'
          condition: 'kind = \'alert\''
          endpointNames: [
            'alerts-kept'
          ]
          isEnabled: true
        }
        {
          // Raw material for retraining, alone or in a batch: JPEG and float32 among it, hence Avro.
          name: 'samples'
          source: 'DeviceMessages'
          condition: 'kind = \'sample\' OR (kind = \'batch\' AND contains(kinds, \'sample\'))'
          endpointNames: [
            'samples-kept'
          ]
          isEnabled: true
        }
        {
          name: 'aggregates'
          source: 'DeviceMessages'
          condition: 'kind = \'window\' OR kind = \'anomaly\' OR kind = \'score\' OR kind = \'verdict\' OR (kind = \'batch\' AND NOT contains(kinds, \'sample\'))'
          endpointNames: [
            'aggregates-kept'
          ]
          isEnabled: true
        }
      ]
      fallbackRoute: {
        name: 'rest'
        source: 'DeviceMessages'
        condition: 'true'
        endpointNames: [
          'events'
        ]
        isEnabled: true
      }
      enrichments: [
        {
          key: 'site'
          value: '$twin.tags.site'
          endpointNames: [
            'alerts-live'
            'alerts-kept'
          ]
        }
      ]
    }
  }
  dependsOn: [
    containers
    writesBlobs
    sendsEvents
  ]
}

// Gateways find their hub by their certificate or key; a new hub is added here and not on any of them.
resource provisioning 'Microsoft.Devices/provisioningServices@2022-12-12' = {
  name: '${name}-dps'
  location: location
  sku: {
    name: 'S1'
    capacity: 1
  }
  properties: {
    allocationPolicy: 'Hashed'
    iotHubs: [
      {
        connectionString: 'HostName=${hub.properties.hostName};SharedAccessKeyName=iothubowner;SharedAccessKey=${hub.listKeys().value[0].primaryKey}'
        location: location
        allocationWeight: 1
      }
    ]
  }
}

output hubName string = hub.name
output scopeId string = provisioning.properties.idScope
output modelsUrl string = '${storage.properties.primaryEndpoints.blob}${modelsContainer}'
output alertsEventHub string = '${events.name}/${alerts.name}'
