-- Orthanc sends each series on to MedRestore once it is complete, but for those that come from there.
function OnStableSeries(seriesId, tags, metadata)
  if metadata['RemoteAET'] ~= 'MEDRESTORE' then
    RestApiPost('/modalities/medrestore/store', '{"Resources": ["' .. seriesId .. '"], "Synchronous": false}')
  end
end
