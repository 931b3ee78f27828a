<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>MedRestore</name>
    <message>
        <source>MedRestore</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Removes noise from SPECT, MRI and ultrasound studies. The restored study appears beside the original, with the same geometry, units and totals, and with evidence of what was removed. For research use only.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>MedRestore is free software under the Apache License 2.0. Not a medical device.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Input</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Vol&amp;ume:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The noisy study: a scalar or colour volume, or the volume that shows a sequence. It is never changed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Select a volume</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore the whole sequence</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All frames of the sequence that this volume shows, not only the frame on show.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>M&amp;odality:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What made the study. It decides which noise to expect.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What the study is, and the noise found in it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Method</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Method:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Recommended first, then by modality.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Why this noise, this level and this method; and who described it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Why?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>E&amp;nlarge:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>How many times larger. Enlarged is not measured.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Noise &amp;level:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In the unit shown below.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Es&amp;timate</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Read the level off the study again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>P&amp;reset:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Method, level, strength and the rest of Advanced, as your site saved them under a name.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Presets</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Save, delete, import and export presets.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Output</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Preview on the slice on show</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restores the slice on show while you change method, level and strength.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Keep the removed part as a volume</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Input minus restored: what a sceptic looks at.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Replace the earl&amp;ier result</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The new result takes the place of the one that is chosen in Compare, and so does its removed part.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Apply</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore the study (Ctrl+Return).</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Compare</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore&amp;d volume:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The result that Compare, Evidence and Segments look at.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>None yet</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Side by side</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Before and after beside each other: same slice, zoom, cursor and window.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>With removed part</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Before, after and what was removed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Fade</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The restored volume over the original in the present layout.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Former la&amp;yout</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Back to how the views were.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Fade:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>0 shows the original, 1 the restored volume.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Evidence</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Whether the study is better than before, as far as that can be told without a reference.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Details</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What was removed, what it looks like, and what was kept.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Save report...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Write the whole report as a page or as JSON.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>E&amp;xport derived DICOM...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Write the restored volume into a folder: same patient and study, a new series, marked as derived.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>To the data&amp;base</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Add the restored volume to Slicer's DICOM database: same patient and study, a new series, marked as derived.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Details of the evidence</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What was gained, what was removed, and what to look at.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segments</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segmentation before:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A segmentation of the original; measured on both volumes if it is the only one.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>None</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segmentation after:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A segmentation made on the restored volume, to be compared with the one before.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The same</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Measure</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Volume, mean, spread and contrast of each segment on both volumes; overlap and distance of two segmentations.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment both alike:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The same threshold, or growth from the same seeds, on both volumes.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Lower end, in the study's unit.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Upper end of the threshold</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Upper end, in the study's unit.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Seeds:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>At least two segments painted as seeds.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment both alike</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segments both volumes in the same way and compares the results.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Measures of the segments</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Several volumes</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Tick the study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All volumes of the study that the input is of.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Tick all or none</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All volumes of the scene; none where all are ticked.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Volumes to restore</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What to restore, and afterwards what became of it. A double click shows a result.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Method and level:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As recommended for each volume, or one of your presets for all.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore the ti&amp;cked volumes</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Strength:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>0 leaves the study as it is, 1 is the full method; between them, a blend.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Noise:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The physics of the noise; the methods use it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Only inside:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore inside one segment only; its edge is feathered inwards.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Whole study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Segment to restore inside</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The segment to restore inside.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Dimensions:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Slice by slice or as a volume.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Frames:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Frames that show one object can help each other. What only one frame shows may then go where it is faint.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Options:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The method's own parameters, for experts: name=value, with commas between.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>name=value, name=value</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Device:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Where to compute.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In which precision networks calculate.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Memory of a tile (GB):</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The most that a tile may take; 0 is the device's default. It does not change the result.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>default</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Make the map of trust (takes four times as long)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Two volumes beside the result: how far the truth may lie from it, and where it owes more to the method than to the data.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Adapt the network to this study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The network first learns on the study itself, some seconds to a minute, and is used so only if a part of the study that was held out says that it is better. The preview shows it as it ships.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Install what restoring needs...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PyTorch and the few packages that Slicer does not bring.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Report a problem...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Shows versions, the last messages and the log, without names, paths and patient data. Nothing is sent.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestoreLib</name>
    <message>
        <source>EMANet</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A network for counts, joined with BM3D and refined by another: recommended where it beats BM3D.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>DnCNN for bone scans</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A smaller network trained on the same simulated bone scans: quicker, and less exact.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>UNet-Att</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A network trained on ultrasound of several organs: first choice for frames and loops; needs no level.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Sharpen and calm (blind)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A network takes out noise and blur of unknown kind; its option sharpen goes from 0 (calm only) to 1.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>BM4D, refined</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>BM4D, joined with the general network and refined by a third from five slices: for MR volumes.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PRI-NLM3D</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Averages voxels whose surroundings look alike: quick, and first choice for CT and its faint lesions.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>ODCT3D</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Filters overlapping cubes by their cosine spectra: the quickest good method for MR volumes.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>BM4D</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>BM3D in three dimensions finds similar cubes and denoises them as one: first choice for most volumes.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Speckle-reducing anisotropic diffusion</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Smooths speckle and keeps borders and bright reflectors: quick enough for ultrasound cine loops.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Non-local low-rank</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Removes ultrasound speckle by comparing similar patches; the most careful of the ultrasound methods.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>General network</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>BM3D and a network trained on images of many kinds, joined and refined by another: for single slices.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Disentangled network</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A network trained on heads without pairs of noisy and clean images: below BM3D, and here to compare.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>BM3D</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Finds similar patches and denoises them together: the reference among methods without learning.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>WNNM</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restores groups of similar patches by their main components: sharper texture than BM3D, and slower.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Anisotropic diffusion</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Smooths inside regions and stops at edges: the fastest, for a first look or very large volumes.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Learned enlargement</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A small network adds what is likely between pixels; reduced again, the result is the study.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Bicubic enlargement</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Interpolates between pixels: adds nothing, and is what other enlargements are compared with.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Gaussian</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>standard deviation, in the study's unit</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Poisson</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>counts per unit (1 for raw counts)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Reconstruction</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>root mean square over the object, in the study's unit</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Rician</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>% of the study's maximum</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Speckle</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>standard deviation relative to the signal</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Gain</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Careful gain</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>No reliable gain</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Harm</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.choices</name>
    <message>
        <source>{value} (not available)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This was chosen elsewhere and is not offered here.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nuclear medicine, planar or SPECT (NM)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Magnetic resonance (MR)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Ultrasound (US)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PET (PT)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CT or cone beam (CT)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Other</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Not known: please choose</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Made for such studies</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Made for other studies</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>For other noise</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>To enlarge</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{title} (recommended)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Level: {unit}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Slice by slice (2-D)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As a volume (3-D)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>As recommended</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Pieces of the series itself tell which is better.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Together</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Each for itself</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>So many times as many rows and columns. Slices and frames stay.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{factor} times</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Apple GPU</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>NVIDIA GPU</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A GPU if there is one, else the processor.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{device}: none found</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>bfloat16 for networks that it makes much faster and changes by far less than the noise.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Exact (float32)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The same result on every processor, but for rounding.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Fast (bfloat16)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>For every network; slower on processors without bfloat16.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.evidence</name>
    <message>
        <source>No restored volume is chosen.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Derived DICOM was written to {folder}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>'{name}' is in the DICOM database, as a series of its own beside its source.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>'{name}' could not be added to the DICOM database: Slicer's log says why.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The study was not loaded from Slicer's DICOM database.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Save report</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Page (*.html);;JSON (*.json)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Folder for the derived DICOM</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.help</name>
    <message>
        <source>Tutorial</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The panel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Troubleshooting</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Methods</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.job</name>
    <message>
        <source>Cancelled: another study was chosen before this one was read.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Fetching the result</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The result could not be fetched: {reason}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancelled: '{name}' was deleted.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nearly done.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{seconds} s left.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{minutes} min left.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.panes</name>
    <message>
        <source>Before</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>After</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Removed</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.parameters</name>
    <message>
        <source>Threshold</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Grow from seeds</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.presets</name>
    <message>
        <source>Save as preset...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Delete this preset</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Import a preset file...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Export this preset to a file...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>None</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{file}: cannot be used</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The preset '{name}' is saved.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Delete the preset '{name}'? It goes for all who use this folder.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The preset '{name}' is deleted.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The preset of {file} is among the presets now.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The preset is written to {file}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Save as preset</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Method: as recommended for each study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Noise level: read off each study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Name:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Import a preset</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Preset (*.json)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Export the preset</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.preview</name>
    <message>
        <source>No slice view shows the input in its acquired plane.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restoring the slice on show...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A first look, by {method} from the slices nearby. The exact one follows...</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.problem</name>
    <message>
        <source>Report a problem</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nothing is sent. The text holds no names, paths or patient data as far as a program can tell. Read it, then copy it into a new issue, or save it and mail it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Save...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Open the list of issues</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>C&amp;lose</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Save the report of a problem</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Text (*.md)</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.process</name>
    <message>
        <source>it said nothing.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the worker process did not start ({program}): {details}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the study could not be copied ({reason}).</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.restoring</name>
    <message>
        <source>C&amp;ancel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Apply</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Stop; nothing is kept.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore the study (Ctrl+Return).</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>'{name}' and its removed part make way for the new result.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancelled. The scene is as it was.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All that restoring needs is installed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Several volumes are being restored.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Sending the study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>'{name}' is done, in {seconds} s.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.samples</name>
    <message>
        <source>Bone scan</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>T1 head</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cine</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.segments</name>
    <message>
        <source>Compare</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Measure</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore a volume first, or choose a restored volume.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The original of this volume is not in the scene: choose it as the input.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose a segmentation.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose seeds: a segmentation with at least two painted segments.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The lower end of the threshold lies above the upper end.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.settings</name>
    <message>
        <source>What a new scene begins with; the panel's section Advanced has it for the present one.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Strength:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Device:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>default</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Memory of a tile (GB):</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Beside the original</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In a folder of the original's study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Results go:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Where reports and derived DICOM are written unless you choose another folder.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Folder for exports:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A folder that your site shares; empty for presets of your own.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Folder of presets:</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.setup</name>
    <message>
        <source>PyTorch cannot be used here: the last one for Macs with an Intel processor, 2.2, does not work with NumPy 2, which this Slicer has. Use an earlier Slicer, or another computer. Nothing was installed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PyTorch is not installed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PyTorch is not installed, and neither is the extension PyTorch that installs it: choose it in the Extensions Manager and restart Slicer.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PyTorch could not be installed ({reason}).</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>PyTorch was not installed, and nothing can be restored without it. Try again at any time.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{packages} could not be installed ({reason}).</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Not installed: {packages}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>If a GPU is there but not found: update its driver, then uninstall and install PyTorch again in the module PyTorch Utils. MedRestore also works without a GPU.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Without internet: on a computer of the same kind that has it, with Python {version}, run
    python -m pip download --only-binary :all: -d wheels {packages}
copy the folder wheels, and enter in Slicer's Python console
    slicer.util.pip_install('--no-index --find-links /path/to/wheels {packages}')</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The path is too long for Windows: turn on long paths (Settings, System, For developers), or install Slicer in a short folder such as C:\Slicer, and try again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The disk is full: PyTorch needs up to 6 GB.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.several</name>
    <message>
        <source>As recommended for each</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore the ti&amp;cked volumes</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Stop. What is restored already stays.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Cancelled. What was restored before stays.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Another volume is being restored.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Tick the volumes to restore.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{number} of {count}, '{name}': {doing}. {left}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Sending the study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{restored} of {count} volumes are restored. A double click on a line shows the result.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Not restored. {reason}</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.study</name>
    <message>
        <source>Select a volume.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Reading the study...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Set the noise level: none could be read off this study.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose the segment to restore inside, or the whole study.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Enlarged is not measured: what is finer than the study's pixels was not seen.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Modality is not known: choose it to get the method and the noise made for it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>No noise level could be read off this study. {level} is a usual one to start from: judge it with the preview.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore all {frames} frames of the sequence</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The volume holds no voxels.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{size} voxels of {spacing} mm</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Enlarging looks at no noise.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>{method} finds the noise by itself.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In {unit}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>sure</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>unsure, look closely</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>In {unit}. Found: {level}, {sure}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Level: {reason} Confidence {percent} %.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The level serves the evidence alone.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.views</name>
    <message>
        <source>Slicer runs without a main window: there are no views to compare in.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Restore a volume first, or choose a restored volume.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The original of this volume is not in the scene: choose it as the input.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The removed part was not kept: tick 'Keep the removed part' and restore again.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.words</name>
    <message>
        <source>Noise level</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Noise</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Method</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Modality</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Only inside</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Strength</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Dimensions</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Frames</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Adapt the network to this study</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Enlarge</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Options</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Device</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Precision</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Memory of a tile (GB)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>See '{field}'.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>MedRestoreSubjectHierarchyPlugin</name>
    <message>
        <source>Restore...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Remove noise from this volume with MedRestore</source>
        <translation type="unfinished"></translation>
    </message>
</context>
</TS>
