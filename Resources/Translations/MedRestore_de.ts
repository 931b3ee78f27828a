<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>MedRestore</name>
    <message>
        <source>MedRestore</source>
        <translation>MedRestore</translation>
    </message>
    <message>
        <source>Removes noise from SPECT, MRI and ultrasound studies. The restored study appears beside the original, with the same geometry, units and totals, and with evidence of what was removed. For research use only.</source>
        <translation>Entfernt Rauschen aus SPECT-, MRT- und Ultraschallstudien. Die restaurierte Studie erscheint neben dem Original, mit gleicher Geometrie, gleichen Einheiten und Summen und mit Belegen dafür, was entfernt wurde. Nur für die Forschung.</translation>
    </message>
    <message>
        <source>MedRestore is free software under the Apache License 2.0. Not a medical device.</source>
        <translation>MedRestore ist freie Software unter der Apache-Lizenz 2.0. Kein Medizinprodukt.</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>Eingabe</translation>
    </message>
    <message>
        <source>Vol&amp;ume:</source>
        <translation>Vol&amp;umen:</translation>
    </message>
    <message>
        <source>The noisy study: a scalar or colour volume, or the volume that shows a sequence. It is never changed.</source>
        <translation>Die verrauschte Studie: ein Skalar- oder Farbvolumen oder das Volumen, das eine Sequenz zeigt. Sie wird nie verändert.</translation>
    </message>
    <message>
        <source>Select a volume</source>
        <translation>Volumen wählen</translation>
    </message>
    <message>
        <source>Restore the whole sequence</source>
        <translation>Die ganze Sequenz restaurieren</translation>
    </message>
    <message>
        <source>All frames of the sequence that this volume shows, not only the frame on show.</source>
        <translation>Alle Bilder der Sequenz, die dieses Volumen zeigt, nicht nur das gezeigte Bild.</translation>
    </message>
    <message>
        <source>M&amp;odality:</source>
        <translation>M&amp;odalität:</translation>
    </message>
    <message>
        <source>What made the study. It decides which noise to expect.</source>
        <translation>Womit die Studie aufgenommen wurde. Davon hängt ab, welches Rauschen zu erwarten ist.</translation>
    </message>
    <message>
        <source>What the study is, and the noise found in it.</source>
        <translation>Was die Studie ist und welches Rauschen in ihr gefunden wurde.</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Methode</translation>
    </message>
    <message>
        <source>&amp;Method:</source>
        <translation>&amp;Methode:</translation>
    </message>
    <message>
        <source>Recommended first, then by modality.</source>
        <translation>Die empfohlene zuerst, dann nach Modalität.</translation>
    </message>
    <message>
        <source>Why this noise, this level and this method; and who described it.</source>
        <translation>Warum dieses Rauschen, dieser Pegel und diese Methode; und wer sie beschrieben hat.</translation>
    </message>
    <message>
        <source>&amp;Why?</source>
        <translation>&amp;Warum?</translation>
    </message>
    <message>
        <source>E&amp;nlarge:</source>
        <translation>Vergrößern &amp;auf:</translation>
    </message>
    <message>
        <source>How many times larger. Enlarged is not measured.</source>
        <translation>Wie viel Mal größer. Vergrößert ist nicht gemessen.</translation>
    </message>
    <message>
        <source>Noise &amp;level:</source>
        <translation>&amp;Rauschpegel:</translation>
    </message>
    <message>
        <source>In the unit shown below.</source>
        <translation>In der Einheit, die darunter steht.</translation>
    </message>
    <message>
        <source>Es&amp;timate</source>
        <translation>Schä&amp;tzen</translation>
    </message>
    <message>
        <source>Read the level off the study again.</source>
        <translation>Den Pegel noch einmal aus der Studie lesen.</translation>
    </message>
    <message>
        <source>P&amp;reset:</source>
        <translation>&amp;Vorlage:</translation>
    </message>
    <message>
        <source>Method, level, strength and the rest of Advanced, as your site saved them under a name.</source>
        <translation>Methode, Pegel, Stärke und der Rest von Erweitert, wie Ihr Haus sie unter einem Namen gespeichert hat.</translation>
    </message>
    <message>
        <source>Presets</source>
        <translation>Vorlagen</translation>
    </message>
    <message>
        <source>Save, delete, import and export presets.</source>
        <translation>Vorlagen speichern, löschen, importieren und exportieren.</translation>
    </message>
    <message>
        <source>...</source>
        <translation>...</translation>
    </message>
    <message>
        <source>Output</source>
        <translation>Ausgabe</translation>
    </message>
    <message>
        <source>&amp;Preview on the slice on show</source>
        <translation>Vors&amp;chau auf der gezeigten Schicht</translation>
    </message>
    <message>
        <source>Restores the slice on show while you change method, level and strength.</source>
        <translation>Restauriert die gezeigte Schicht, während Sie Methode, Pegel und Stärke ändern.</translation>
    </message>
    <message>
        <source>&amp;Keep the removed part as a volume</source>
        <translation>Ent&amp;ferntes als Volumen behalten</translation>
    </message>
    <message>
        <source>Input minus restored: what a sceptic looks at.</source>
        <translation>Eingabe minus Ergebnis: das, was ein Skeptiker ansieht.</translation>
    </message>
    <message>
        <source>Replace the earl&amp;ier result</source>
        <translation>Früheres Er&amp;gebnis ersetzen</translation>
    </message>
    <message>
        <source>The new result takes the place of the one that is chosen in Compare, and so does its removed part.</source>
        <translation>Das neue Ergebnis ersetzt das unter Vergleich gewählte, und sein Entferntes ersetzt dessen Entferntes.</translation>
    </message>
    <message>
        <source>&amp;Apply</source>
        <translation>A&amp;nwenden</translation>
    </message>
    <message>
        <source>Restore the study (Ctrl+Return).</source>
        <translation>Die Studie restaurieren (Strg+Eingabe).</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleich</translation>
    </message>
    <message>
        <source>Restore&amp;d volume:</source>
        <translation>Re&amp;stauriertes Volumen:</translation>
    </message>
    <message>
        <source>The result that Compare, Evidence and Segments look at.</source>
        <translation>Das Ergebnis, auf das sich Vergleich, Belege und Segmente beziehen.</translation>
    </message>
    <message>
        <source>None yet</source>
        <translation>Noch keines</translation>
    </message>
    <message>
        <source>&amp;Side by side</source>
        <translation>Neb&amp;eneinander</translation>
    </message>
    <message>
        <source>Before and after beside each other: same slice, zoom, cursor and window.</source>
        <translation>Vorher und nachher nebeneinander: gleiche Schicht, gleicher Zoom, Zeiger und gleiche Fensterung.</translation>
    </message>
    <message>
        <source>With removed part</source>
        <translation>Mit Entferntem</translation>
    </message>
    <message>
        <source>Before, after and what was removed.</source>
        <translation>Vorher, nachher und was entfernt wurde.</translation>
    </message>
    <message>
        <source>Fade</source>
        <translation>Überblenden</translation>
    </message>
    <message>
        <source>The restored volume over the original in the present layout.</source>
        <translation>Das restaurierte Volumen über dem Original, im gegenwärtigen Layout.</translation>
    </message>
    <message>
        <source>Former la&amp;yout</source>
        <translation>Früheres La&amp;yout</translation>
    </message>
    <message>
        <source>Back to how the views were.</source>
        <translation>Zurück zu den Ansichten von vorher.</translation>
    </message>
    <message>
        <source>Fade:</source>
        <translation>Überblenden:</translation>
    </message>
    <message>
        <source>0 shows the original, 1 the restored volume.</source>
        <translation>0 zeigt das Original, 1 das restaurierte Volumen.</translation>
    </message>
    <message>
        <source>Evidence</source>
        <translation>Belege</translation>
    </message>
    <message>
        <source>Whether the study is better than before, as far as that can be told without a reference.</source>
        <translation>Ob die Studie besser ist als vorher, soweit sich das ohne Referenz sagen lässt.</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>What was removed, what it looks like, and what was kept.</source>
        <translation>Was entfernt wurde, wie es aussieht und was erhalten blieb.</translation>
    </message>
    <message>
        <source>Save report...</source>
        <translation>Bericht speichern...</translation>
    </message>
    <message>
        <source>Write the whole report as a page or as JSON.</source>
        <translation>Den ganzen Bericht als Seite oder als JSON schreiben.</translation>
    </message>
    <message>
        <source>E&amp;xport derived DICOM...</source>
        <translation>DICOM e&amp;xportieren...</translation>
    </message>
    <message>
        <source>Write the restored volume into a folder: same patient and study, a new series, marked as derived.</source>
        <translation>Das restaurierte Volumen in einen Ordner schreiben: gleicher Patient, gleiche Studie, neue Serie, als abgeleitet gekennzeichnet.</translation>
    </message>
    <message>
        <source>To the data&amp;base</source>
        <translation>&amp;In die Datenbank</translation>
    </message>
    <message>
        <source>Add the restored volume to Slicer's DICOM database: same patient and study, a new series, marked as derived.</source>
        <translation>Das restaurierte Volumen in Slicers DICOM-Datenbank aufnehmen: gleicher Patient, gleiche Studie, neue Serie, als abgeleitet gekennzeichnet.</translation>
    </message>
    <message>
        <source>Details of the evidence</source>
        <translation>Einzelheiten der Belege</translation>
    </message>
    <message>
        <source>What was gained, what was removed, and what to look at.</source>
        <translation>Was gewonnen wurde, was entfernt wurde und worauf zu achten ist.</translation>
    </message>
    <message>
        <source>Segments</source>
        <translation>Segmente</translation>
    </message>
    <message>
        <source>Segmentation before:</source>
        <translation>Segmentierung vorher:</translation>
    </message>
    <message>
        <source>A segmentation of the original; measured on both volumes if it is the only one.</source>
        <translation>Eine Segmentierung des Originals; ist sie die einzige, wird sie auf beiden Volumen gemessen.</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keine</translation>
    </message>
    <message>
        <source>Segmentation after:</source>
        <translation>Segmentierung nachher:</translation>
    </message>
    <message>
        <source>A segmentation made on the restored volume, to be compared with the one before.</source>
        <translation>Eine Segmentierung des restaurierten Volumens, die mit der ersten verglichen wird.</translation>
    </message>
    <message>
        <source>The same</source>
        <translation>Dieselbe</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Volume, mean, spread and contrast of each segment on both volumes; overlap and distance of two segmentations.</source>
        <translation>Volumen, Mittel, Streuung und Kontrast jedes Segments auf beiden Volumen; Überlappung und Abstand zweier Segmentierungen.</translation>
    </message>
    <message>
        <source>Segment both alike:</source>
        <translation>Beide gleich segmentieren:</translation>
    </message>
    <message>
        <source>The same threshold, or growth from the same seeds, on both volumes.</source>
        <translation>Dieselbe Schwelle, oder Wachstum aus denselben Saatpunkten, auf beiden Volumen.</translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation>Schwelle:</translation>
    </message>
    <message>
        <source>Lower end, in the study's unit.</source>
        <translation>Unteres Ende, in der Einheit der Studie.</translation>
    </message>
    <message>
        <source>Upper end of the threshold</source>
        <translation>Oberes Ende der Schwelle</translation>
    </message>
    <message>
        <source>Upper end, in the study's unit.</source>
        <translation>Oberes Ende, in der Einheit der Studie.</translation>
    </message>
    <message>
        <source>Seeds:</source>
        <translation>Saatpunkte:</translation>
    </message>
    <message>
        <source>At least two segments painted as seeds.</source>
        <translation>Mindestens zwei Segmente, als Saatpunkte gemalt.</translation>
    </message>
    <message>
        <source>Segment both alike</source>
        <translation>Beide gleich segmentieren</translation>
    </message>
    <message>
        <source>Segments both volumes in the same way and compares the results.</source>
        <translation>Segmentiert beide Volumen auf gleiche Weise und vergleicht die Ergebnisse.</translation>
    </message>
    <message>
        <source>Measures of the segments</source>
        <translation>Messwerte der Segmente</translation>
    </message>
    <message>
        <source>Several volumes</source>
        <translation>Mehrere Volumen</translation>
    </message>
    <message>
        <source>Tick the study</source>
        <translation>Die Studie ankreuzen</translation>
    </message>
    <message>
        <source>All volumes of the study that the input is of.</source>
        <translation>Alle Volumen der Studie, zu der die Eingabe gehört.</translation>
    </message>
    <message>
        <source>Tick all or none</source>
        <translation>Alle oder keines</translation>
    </message>
    <message>
        <source>All volumes of the scene; none where all are ticked.</source>
        <translation>Alle Volumen der Szene; keines, wenn alle angekreuzt sind.</translation>
    </message>
    <message>
        <source>Volumes to restore</source>
        <translation>Zu restaurierende Volumen</translation>
    </message>
    <message>
        <source>What to restore, and afterwards what became of it. A double click shows a result.</source>
        <translation>Was restauriert werden soll und danach, was daraus wurde. Ein Doppelklick zeigt das Ergebnis.</translation>
    </message>
    <message>
        <source>Method and level:</source>
        <translation>Methode und Pegel:</translation>
    </message>
    <message>
        <source>As recommended for each volume, or one of your presets for all.</source>
        <translation>Wie für jedes Volumen empfohlen, oder eine Ihrer Vorlagen für alle.</translation>
    </message>
    <message>
        <source>Restore the ti&amp;cked volumes</source>
        <translation>Ange&amp;kreuzte Volumen restaurieren</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Erweitert</translation>
    </message>
    <message>
        <source>Strength:</source>
        <translation>Stärke:</translation>
    </message>
    <message>
        <source>0 leaves the study as it is, 1 is the full method; between them, a blend.</source>
        <translation>0 lässt die Studie, wie sie ist, 1 ist die volle Methode; dazwischen eine Mischung.</translation>
    </message>
    <message>
        <source>Noise:</source>
        <translation>Rauschen:</translation>
    </message>
    <message>
        <source>The physics of the noise; the methods use it.</source>
        <translation>Die Physik des Rauschens; die Methoden nutzen sie.</translation>
    </message>
    <message>
        <source>Only inside:</source>
        <translation>Nur innerhalb:</translation>
    </message>
    <message>
        <source>Restore inside one segment only; its edge is feathered inwards.</source>
        <translation>Nur innerhalb eines Segments restaurieren; sein Rand läuft nach innen weich aus.</translation>
    </message>
    <message>
        <source>Whole study</source>
        <translation>Ganze Studie</translation>
    </message>
    <message>
        <source>Segment to restore inside</source>
        <translation>Segment, in dem restauriert wird</translation>
    </message>
    <message>
        <source>The segment to restore inside.</source>
        <translation>Das Segment, in dem restauriert wird.</translation>
    </message>
    <message>
        <source>Dimensions:</source>
        <translation>Dimensionen:</translation>
    </message>
    <message>
        <source>Slice by slice or as a volume.</source>
        <translation>Schicht für Schicht oder als Volumen.</translation>
    </message>
    <message>
        <source>Frames:</source>
        <translation>Bilder:</translation>
    </message>
    <message>
        <source>Frames that show one object can help each other. What only one frame shows may then go where it is faint.</source>
        <translation>Bilder, die dasselbe Objekt zeigen, können einander helfen. Was nur ein Bild zeigt, kann dann verschwinden, wo es schwach ist.</translation>
    </message>
    <message>
        <source>Options:</source>
        <translation>Optionen:</translation>
    </message>
    <message>
        <source>The method's own parameters, for experts: name=value, with commas between.</source>
        <translation>Die eigenen Parameter der Methode, für Fachleute: Name=Wert, durch Kommas getrennt.</translation>
    </message>
    <message>
        <source>name=value, name=value</source>
        <translation>Name=Wert, Name=Wert</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>Gerät:</translation>
    </message>
    <message>
        <source>Where to compute.</source>
        <translation>Wo gerechnet wird.</translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation>Genauigkeit:</translation>
    </message>
    <message>
        <source>In which precision networks calculate.</source>
        <translation>Mit welcher Genauigkeit Netze rechnen.</translation>
    </message>
    <message>
        <source>Memory of a tile (GB):</source>
        <translation>Speicher je Kachel (GB):</translation>
    </message>
    <message>
        <source>The most that a tile may take; 0 is the device's default. It does not change the result.</source>
        <translation>So viel darf eine Kachel höchstens belegen; 0 nimmt die Vorgabe des Geräts. Das Ergebnis ändert sich dadurch nicht.</translation>
    </message>
    <message>
        <source>default</source>
        <translation>Vorgabe</translation>
    </message>
    <message>
        <source>Make the map of trust (takes four times as long)</source>
        <translation>Vertrauenskarte erstellen (dauert viermal so lange)</translation>
    </message>
    <message>
        <source>Two volumes beside the result: how far the truth may lie from it, and where it owes more to the method than to the data.</source>
        <translation>Zwei Volumen neben dem Ergebnis: wie weit die Wahrheit von ihm entfernt sein kann, und wo es mehr der Methode als den Daten verdankt.</translation>
    </message>
    <message>
        <source>Adapt the network to this study</source>
        <translation>Netz an diese Studie anpassen</translation>
    </message>
    <message>
        <source>The network first learns on the study itself, some seconds to a minute, and is used so only if a part of the study that was held out says that it is better. The preview shows it as it ships.</source>
        <translation>Das Netz lernt zuerst an der Studie selbst, einige Sekunden bis eine Minute, und wird nur dann so verwendet, wenn ein zurückgehaltener Teil der Studie sagt, dass es besser ist. Die Vorschau zeigt es, wie es ausgeliefert wird.</translation>
    </message>
    <message>
        <source>Install what restoring needs...</source>
        <translation>Nötiges installieren...</translation>
    </message>
    <message>
        <source>PyTorch and the few packages that Slicer does not bring.</source>
        <translation>PyTorch und die wenigen Pakete, die Slicer nicht mitbringt.</translation>
    </message>
    <message>
        <source>Report a problem...</source>
        <translation>Problem melden...</translation>
    </message>
    <message>
        <source>Shows versions, the last messages and the log, without names, paths and patient data. Nothing is sent.</source>
        <translation>Zeigt Versionen, die letzten Meldungen und das Protokoll, ohne Namen, Pfade und Patientendaten. Nichts wird gesendet.</translation>
    </message>
</context>
<context>
    <name>MedRestoreLib</name>
    <message>
        <source>EMANet</source>
        <translation>EMANet</translation>
    </message>
    <message>
        <source>A network for counts, joined with BM3D and refined by another: recommended where it beats BM3D.</source>
        <translation>Ein Netz für Zählereignisse, mit BM3D verbunden und von einem weiteren verfeinert: empfohlen, wo es BM3D übertrifft.</translation>
    </message>
    <message>
        <source>DnCNN for bone scans</source>
        <translation>DnCNN für Knochenszintigramme</translation>
    </message>
    <message>
        <source>A smaller network trained on the same simulated bone scans: quicker, and less exact.</source>
        <translation>Ein kleineres Netz, an denselben simulierten Szintigrammen trainiert: schneller und weniger genau.</translation>
    </message>
    <message>
        <source>UNet-Att</source>
        <translation>UNet-Att</translation>
    </message>
    <message>
        <source>A network trained on ultrasound of several organs: first choice for frames and loops; needs no level.</source>
        <translation>Ein Netz, an Ultraschall mehrerer Organe trainiert: erste Wahl für Bilder und Schleifen; braucht keinen Pegel.</translation>
    </message>
    <message>
        <source>Sharpen and calm (blind)</source>
        <translation>Schärfen und beruhigen (blind)</translation>
    </message>
    <message>
        <source>A network takes out noise and blur of unknown kind; its option sharpen goes from 0 (calm only) to 1.</source>
        <translation>Ein Netz nimmt Rauschen und Unschärfe unbekannter Art heraus; seine Option sharpen reicht von 0 (nur beruhigen) bis 1.</translation>
    </message>
    <message>
        <source>BM4D, refined</source>
        <translation>BM4D, verfeinert</translation>
    </message>
    <message>
        <source>BM4D, joined with the general network and refined by a third from five slices: for MR volumes.</source>
        <translation>BM4D, verbunden mit dem allgemeinen Netz und verfeinert von einem dritten aus fünf Schichten: für MR-Volumen.</translation>
    </message>
    <message>
        <source>PRI-NLM3D</source>
        <translation>PRI-NLM3D</translation>
    </message>
    <message>
        <source>Averages voxels whose surroundings look alike: quick, and first choice for CT and its faint lesions.</source>
        <translation>Mittelt Voxel, deren Umgebungen sich gleichen: schnell, und erste Wahl für CT und ihre schwachen Läsionen.</translation>
    </message>
    <message>
        <source>ODCT3D</source>
        <translation>ODCT3D</translation>
    </message>
    <message>
        <source>Filters overlapping cubes by their cosine spectra: the quickest good method for MR volumes.</source>
        <translation>Filtert überlappende Würfel nach ihren Kosinusspektren: die schnellste gute Methode für MR-Volumen.</translation>
    </message>
    <message>
        <source>BM4D</source>
        <translation>BM4D</translation>
    </message>
    <message>
        <source>BM3D in three dimensions finds similar cubes and denoises them as one: first choice for most volumes.</source>
        <translation>BM3D in drei Dimensionen: findet ähnliche Würfel und entrauscht sie gemeinsam; erste Wahl für die meisten Volumen.</translation>
    </message>
    <message>
        <source>Speckle-reducing anisotropic diffusion</source>
        <translation>Speckle mindernde anisotrope Diffusion</translation>
    </message>
    <message>
        <source>Smooths speckle and keeps borders and bright reflectors: quick enough for ultrasound cine loops.</source>
        <translation>Glättet Speckle und erhält Grenzen und helle Reflektoren: schnell genug für Cine-Schleifen im Ultraschall.</translation>
    </message>
    <message>
        <source>Non-local low-rank</source>
        <translation>Nichtlokal mit niedrigem Rang</translation>
    </message>
    <message>
        <source>Removes ultrasound speckle by comparing similar patches; the most careful of the ultrasound methods.</source>
        <translation>Entfernt Speckle im Ultraschall durch Vergleich ähnlicher Ausschnitte; die vorsichtigste der Ultraschallmethoden.</translation>
    </message>
    <message>
        <source>General network</source>
        <translation>Allgemeines Netz</translation>
    </message>
    <message>
        <source>BM3D and a network trained on images of many kinds, joined and refined by another: for single slices.</source>
        <translation>BM3D und ein Netz, das an Bildern vieler Arten trainiert wurde, von einem weiteren verbunden und verfeinert: für einzelne Schichten.</translation>
    </message>
    <message>
        <source>Disentangled network</source>
        <translation>Entflechtendes Netz</translation>
    </message>
    <message>
        <source>A network trained on heads without pairs of noisy and clean images: below BM3D, and here to compare.</source>
        <translation>Ein Netz, das an Köpfen ohne Paare aus verrauschtem und rauschfreiem Bild trainiert wurde: schlechter als BM3D, hier zum Vergleich.</translation>
    </message>
    <message>
        <source>BM3D</source>
        <translation>BM3D</translation>
    </message>
    <message>
        <source>Finds similar patches and denoises them together: the reference among methods without learning.</source>
        <translation>Findet ähnliche Ausschnitte und entrauscht sie gemeinsam: die Referenz unter den Methoden ohne Lernen.</translation>
    </message>
    <message>
        <source>WNNM</source>
        <translation>WNNM</translation>
    </message>
    <message>
        <source>Restores groups of similar patches by their main components: sharper texture than BM3D, and slower.</source>
        <translation>Restauriert Gruppen ähnlicher Ausschnitte aus ihren Hauptkomponenten: schärfere Textur als BM3D und langsamer.</translation>
    </message>
    <message>
        <source>Anisotropic diffusion</source>
        <translation>Anisotrope Diffusion</translation>
    </message>
    <message>
        <source>Smooths inside regions and stops at edges: the fastest, for a first look or very large volumes.</source>
        <translation>Glättet innerhalb von Bereichen und hält an Kanten: die schnellste, für einen ersten Blick oder sehr große Volumen.</translation>
    </message>
    <message>
        <source>Learned enlargement</source>
        <translation>Gelernte Vergrößerung</translation>
    </message>
    <message>
        <source>A small network adds what is likely between pixels; reduced again, the result is the study.</source>
        <translation>Ein kleines Netz ergänzt zwischen den Pixeln, was wahrscheinlich ist; wieder verkleinert ist das Ergebnis die Studie.</translation>
    </message>
    <message>
        <source>Bicubic enlargement</source>
        <translation>Bikubische Vergrößerung</translation>
    </message>
    <message>
        <source>Interpolates between pixels: adds nothing, and is what other enlargements are compared with.</source>
        <translation>Interpoliert zwischen den Pixeln: fügt nichts hinzu; mit ihr werden andere Vergrößerungen verglichen.</translation>
    </message>
    <message>
        <source>Gaussian</source>
        <translation>Gauß</translation>
    </message>
    <message>
        <source>standard deviation, in the study's unit</source>
        <translation>Standardabweichung, in der Einheit der Studie</translation>
    </message>
    <message>
        <source>Poisson</source>
        <translation>Poisson</translation>
    </message>
    <message>
        <source>counts per unit (1 for raw counts)</source>
        <translation>Zählereignissen je Einheit (1 bei rohen Zählraten)</translation>
    </message>
    <message>
        <source>Reconstruction</source>
        <translation>Rekonstruktion</translation>
    </message>
    <message>
        <source>root mean square over the object, in the study's unit</source>
        <translation>Effektivwert über das Objekt, in der Einheit der Untersuchung</translation>
    </message>
    <message>
        <source>Rician</source>
        <translation>Rice</translation>
    </message>
    <message>
        <source>% of the study's maximum</source>
        <translation>% des Maximums der Studie</translation>
    </message>
    <message>
        <source>Speckle</source>
        <translation>Speckle</translation>
    </message>
    <message>
        <source>standard deviation relative to the signal</source>
        <translation>Standardabweichung relativ zum Signal</translation>
    </message>
    <message>
        <source>Gain</source>
        <translation>Gewinn</translation>
    </message>
    <message>
        <source>Careful gain</source>
        <translation>Gewinn mit Vorbehalt</translation>
    </message>
    <message>
        <source>No reliable gain</source>
        <translation>Kein verlässlicher Gewinn</translation>
    </message>
    <message>
        <source>Harm</source>
        <translation>Schaden</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.choices</name>
    <message>
        <source>{value} (not available)</source>
        <translation>{value} (nicht verfügbar)</translation>
    </message>
    <message>
        <source>This was chosen elsewhere and is not offered here.</source>
        <translation>Das wurde anderswo gewählt und steht hier nicht zur Wahl.</translation>
    </message>
    <message>
        <source>Nuclear medicine, planar or SPECT (NM)</source>
        <translation>Nuklearmedizin, planar oder SPECT (NM)</translation>
    </message>
    <message>
        <source>Magnetic resonance (MR)</source>
        <translation>Magnetresonanz (MR)</translation>
    </message>
    <message>
        <source>Ultrasound (US)</source>
        <translation>Ultraschall (US)</translation>
    </message>
    <message>
        <source>PET (PT)</source>
        <translation>PET (PT)</translation>
    </message>
    <message>
        <source>CT or cone beam (CT)</source>
        <translation>CT oder DVT (CT)</translation>
    </message>
    <message>
        <source>Other</source>
        <translation>Andere</translation>
    </message>
    <message>
        <source>Not known: please choose</source>
        <translation>Unbekannt: bitte wählen</translation>
    </message>
    <message>
        <source>Made for such studies</source>
        <translation>Für solche Studien gemacht</translation>
    </message>
    <message>
        <source>Made for other studies</source>
        <translation>Für andere Studien gemacht</translation>
    </message>
    <message>
        <source>For other noise</source>
        <translation>Für anderes Rauschen</translation>
    </message>
    <message>
        <source>To enlarge</source>
        <translation>Zum Vergrößern</translation>
    </message>
    <message>
        <source>{title} (recommended)</source>
        <translation>{title} (empfohlen)</translation>
    </message>
    <message>
        <source>Level: {unit}</source>
        <translation>Pegel: {unit}</translation>
    </message>
    <message>
        <source>Slice by slice (2-D)</source>
        <translation>Schicht für Schicht (2-D)</translation>
    </message>
    <message>
        <source>As a volume (3-D)</source>
        <translation>Als Volumen (3-D)</translation>
    </message>
    <message>
        <source>As recommended</source>
        <translation>Wie empfohlen</translation>
    </message>
    <message>
        <source>Pieces of the series itself tell which is better.</source>
        <translation>Ausschnitte der Serie selbst zeigen, was besser ist.</translation>
    </message>
    <message>
        <source>Together</source>
        <translation>Gemeinsam</translation>
    </message>
    <message>
        <source>Each for itself</source>
        <translation>Jedes für sich</translation>
    </message>
    <message>
        <source>So many times as many rows and columns. Slices and frames stay.</source>
        <translation>So viel Mal so viele Zeilen und Spalten. Schichten und Bilder bleiben.</translation>
    </message>
    <message>
        <source>{factor} times</source>
        <translation>das {factor}-Fache</translation>
    </message>
    <message>
        <source>Apple GPU</source>
        <translation>Apple-GPU</translation>
    </message>
    <message>
        <source>NVIDIA GPU</source>
        <translation>NVIDIA-GPU</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>A GPU if there is one, else the processor.</source>
        <translation>Eine GPU, wenn es eine gibt, sonst der Prozessor.</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>Prozessor (CPU)</translation>
    </message>
    <message>
        <source>{device}: none found</source>
        <translation>{device}: nicht gefunden</translation>
    </message>
    <message>
        <source>bfloat16 for networks that it makes much faster and changes by far less than the noise.</source>
        <translation>bfloat16 für Netze, die dadurch viel schneller werden und sich um weit weniger als das Rauschen ändern.</translation>
    </message>
    <message>
        <source>Exact (float32)</source>
        <translation>Genau (float32)</translation>
    </message>
    <message>
        <source>The same result on every processor, but for rounding.</source>
        <translation>Auf jedem Prozessor dasselbe Ergebnis, bis auf Rundung.</translation>
    </message>
    <message>
        <source>Fast (bfloat16)</source>
        <translation>Schnell (bfloat16)</translation>
    </message>
    <message>
        <source>For every network; slower on processors without bfloat16.</source>
        <translation>Für jedes Netz; langsamer auf Prozessoren ohne bfloat16.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.evidence</name>
    <message>
        <source>No restored volume is chosen.</source>
        <translation>Kein restauriertes Volumen ist gewählt.</translation>
    </message>
    <message>
        <source>Derived DICOM was written to {folder}.</source>
        <translation>Abgeleitetes DICOM steht in {folder}.</translation>
    </message>
    <message>
        <source>'{name}' is in the DICOM database, as a series of its own beside its source.</source>
        <translation>'{name}' ist in der DICOM-Datenbank, als eigene Serie neben seiner Quelle.</translation>
    </message>
    <message>
        <source>'{name}' could not be added to the DICOM database: Slicer's log says why.</source>
        <translation>'{name}' konnte nicht in die DICOM-Datenbank aufgenommen werden: Slicers Protokoll sagt, warum.</translation>
    </message>
    <message>
        <source>The study was not loaded from Slicer's DICOM database.</source>
        <translation>Die Studie wurde nicht aus Slicers DICOM-Datenbank geladen.</translation>
    </message>
    <message>
        <source>Save report</source>
        <translation>Bericht speichern</translation>
    </message>
    <message>
        <source>Page (*.html);;JSON (*.json)</source>
        <translation>Seite (*.html);;JSON (*.json)</translation>
    </message>
    <message>
        <source>Folder for the derived DICOM</source>
        <translation>Ordner für das abgeleitete DICOM</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.help</name>
    <message>
        <source>Tutorial</source>
        <translation>Einführung</translation>
    </message>
    <message>
        <source>The panel</source>
        <translation>Das Panel</translation>
    </message>
    <message>
        <source>Troubleshooting</source>
        <translation>Fehlersuche</translation>
    </message>
    <message>
        <source>Methods</source>
        <translation>Methoden</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.job</name>
    <message>
        <source>Cancelled: another study was chosen before this one was read.</source>
        <translation>Abgebrochen: Eine andere Studie wurde gewählt, bevor diese gelesen war.</translation>
    </message>
    <message>
        <source>Fetching the result</source>
        <translation>Das Ergebnis wird geholt</translation>
    </message>
    <message>
        <source>The result could not be fetched: {reason}</source>
        <translation>Das Ergebnis konnte nicht geholt werden: {reason}</translation>
    </message>
    <message>
        <source>Cancelled: '{name}' was deleted.</source>
        <translation>Abgebrochen: '{name}' wurde gelöscht.</translation>
    </message>
    <message>
        <source>Nearly done.</source>
        <translation>Fast fertig.</translation>
    </message>
    <message>
        <source>{seconds} s left.</source>
        <translation>Noch {seconds} s.</translation>
    </message>
    <message>
        <source>{minutes} min left.</source>
        <translation>Noch {minutes} min.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.panes</name>
    <message>
        <source>Before</source>
        <translation>Vorher</translation>
    </message>
    <message>
        <source>After</source>
        <translation>Nachher</translation>
    </message>
    <message>
        <source>Removed</source>
        <translation>Entfernt</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.parameters</name>
    <message>
        <source>Threshold</source>
        <translation>Schwelle</translation>
    </message>
    <message>
        <source>Grow from seeds</source>
        <translation>Wachsen aus Saatpunkten</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.presets</name>
    <message>
        <source>Save as preset...</source>
        <translation>Als Vorlage speichern...</translation>
    </message>
    <message>
        <source>Delete this preset</source>
        <translation>Diese Vorlage löschen</translation>
    </message>
    <message>
        <source>Import a preset file...</source>
        <translation>Vorlage aus Datei importieren...</translation>
    </message>
    <message>
        <source>Export this preset to a file...</source>
        <translation>Diese Vorlage in eine Datei exportieren...</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keine</translation>
    </message>
    <message>
        <source>{file}: cannot be used</source>
        <translation>{file}: nicht verwendbar</translation>
    </message>
    <message>
        <source>The preset '{name}' is saved.</source>
        <translation>Die Vorlage '{name}' ist gespeichert.</translation>
    </message>
    <message>
        <source>Delete the preset '{name}'? It goes for all who use this folder.</source>
        <translation>Die Vorlage '{name}' löschen? Sie verschwindet für alle, die diesen Ordner nutzen.</translation>
    </message>
    <message>
        <source>The preset '{name}' is deleted.</source>
        <translation>Die Vorlage '{name}' ist gelöscht.</translation>
    </message>
    <message>
        <source>The preset of {file} is among the presets now.</source>
        <translation>Die Vorlage aus {file} ist nun unter den Vorlagen.</translation>
    </message>
    <message>
        <source>The preset is written to {file}.</source>
        <translation>Die Vorlage steht in {file}.</translation>
    </message>
    <message>
        <source>Save as preset</source>
        <translation>Als Vorlage speichern</translation>
    </message>
    <message>
        <source>Method: as recommended for each study</source>
        <translation>Methode: wie für jede Studie empfohlen</translation>
    </message>
    <message>
        <source>Noise level: read off each study</source>
        <translation>Rauschpegel: aus jeder Studie gelesen</translation>
    </message>
    <message>
        <source>Name:</source>
        <translation>Name:</translation>
    </message>
    <message>
        <source>Import a preset</source>
        <translation>Vorlage importieren</translation>
    </message>
    <message>
        <source>Preset (*.json)</source>
        <translation>Vorlage (*.json)</translation>
    </message>
    <message>
        <source>Export the preset</source>
        <translation>Vorlage exportieren</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.preview</name>
    <message>
        <source>No slice view shows the input in its acquired plane.</source>
        <translation>Keine Schichtansicht zeigt die Eingabe in ihrer Aufnahmeebene.</translation>
    </message>
    <message>
        <source>Restoring the slice on show...</source>
        <translation>Die gezeigte Schicht wird restauriert...</translation>
    </message>
    <message>
        <source>A first look, by {method} from the slices nearby. The exact one follows...</source>
        <translation>Ein erster Blick, mit {method} aus den Nachbarschichten. Das genaue Bild folgt...</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.problem</name>
    <message>
        <source>Report a problem</source>
        <translation>Problem melden</translation>
    </message>
    <message>
        <source>Nothing is sent. The text holds no names, paths or patient data as far as a program can tell. Read it, then copy it into a new issue, or save it and mail it.</source>
        <translation>Nichts wird gesendet. Der Text enthält keine Namen, Pfade oder Patientendaten, soweit ein Programm das erkennen kann. Lesen Sie ihn, dann kopieren Sie ihn in eine neue Meldung, oder speichern und mailen Sie ihn.</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation>&amp;Kopieren</translation>
    </message>
    <message>
        <source>&amp;Save...</source>
        <translation>&amp;Speichern...</translation>
    </message>
    <message>
        <source>&amp;Open the list of issues</source>
        <translation>Liste der Meldungen ö&amp;ffnen</translation>
    </message>
    <message>
        <source>C&amp;lose</source>
        <translation>Sch&amp;ließen</translation>
    </message>
    <message>
        <source>Save the report of a problem</source>
        <translation>Problembericht speichern</translation>
    </message>
    <message>
        <source>Text (*.md)</source>
        <translation>Text (*.md)</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.process</name>
    <message>
        <source>it said nothing.</source>
        <translation>er hat nichts gesagt.</translation>
    </message>
    <message>
        <source>the worker process did not start ({program}): {details}</source>
        <translation>der Arbeitsprozess ist nicht gestartet ({program}): {details}</translation>
    </message>
    <message>
        <source>the study could not be copied ({reason}).</source>
        <translation>die Studie konnte nicht kopiert werden ({reason}).</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.restoring</name>
    <message>
        <source>C&amp;ancel</source>
        <translation>Abbreche&amp;n</translation>
    </message>
    <message>
        <source>&amp;Apply</source>
        <translation>A&amp;nwenden</translation>
    </message>
    <message>
        <source>Stop; nothing is kept.</source>
        <translation>Anhalten; nichts bleibt.</translation>
    </message>
    <message>
        <source>Restore the study (Ctrl+Return).</source>
        <translation>Die Studie restaurieren (Strg+Eingabe).</translation>
    </message>
    <message>
        <source>'{name}' and its removed part make way for the new result.</source>
        <translation>'{name}' und sein Entferntes machen dem neuen Ergebnis Platz.</translation>
    </message>
    <message>
        <source>Cancelled. The scene is as it was.</source>
        <translation>Abgebrochen. Die Szene ist, wie sie war.</translation>
    </message>
    <message>
        <source>All that restoring needs is installed.</source>
        <translation>Alles Nötige ist installiert.</translation>
    </message>
    <message>
        <source>Several volumes are being restored.</source>
        <translation>Mehrere Volumen werden gerade restauriert.</translation>
    </message>
    <message>
        <source>Sending the study</source>
        <translation>Die Studie wird übergeben</translation>
    </message>
    <message>
        <source>'{name}' is done, in {seconds} s.</source>
        <translation>'{name}' ist fertig, in {seconds} s.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.samples</name>
    <message>
        <source>Bone scan</source>
        <translation>Knochenszintigramm</translation>
    </message>
    <message>
        <source>T1 head</source>
        <translation>T1-Kopf</translation>
    </message>
    <message>
        <source>Cine</source>
        <translation>Cine</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.segments</name>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Restore a volume first, or choose a restored volume.</source>
        <translation>Zuerst ein Volumen restaurieren oder ein restauriertes wählen.</translation>
    </message>
    <message>
        <source>The original of this volume is not in the scene: choose it as the input.</source>
        <translation>Das Original dieses Volumens ist nicht in der Szene: bitte als Eingabe wählen.</translation>
    </message>
    <message>
        <source>Choose a segmentation.</source>
        <translation>Eine Segmentierung wählen.</translation>
    </message>
    <message>
        <source>Choose seeds: a segmentation with at least two painted segments.</source>
        <translation>Saatpunkte wählen: eine Segmentierung mit mindestens zwei gemalten Segmenten.</translation>
    </message>
    <message>
        <source>The lower end of the threshold lies above the upper end.</source>
        <translation>Das untere Ende der Schwelle liegt über dem oberen.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.settings</name>
    <message>
        <source>What a new scene begins with; the panel's section Advanced has it for the present one.</source>
        <translation>Womit eine neue Szene beginnt; für die gegenwärtige steht es im Panel unter Erweitert.</translation>
    </message>
    <message>
        <source>Strength:</source>
        <translation>Stärke:</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>Gerät:</translation>
    </message>
    <message>
        <source>default</source>
        <translation>Vorgabe</translation>
    </message>
    <message>
        <source>Memory of a tile (GB):</source>
        <translation>Speicher je Kachel (GB):</translation>
    </message>
    <message>
        <source>Beside the original</source>
        <translation>Neben das Original</translation>
    </message>
    <message>
        <source>In a folder of the original's study</source>
        <translation>In einen Ordner in der Studie des Originals</translation>
    </message>
    <message>
        <source>Results go:</source>
        <translation>Ergebnisse kommen:</translation>
    </message>
    <message>
        <source>Where reports and derived DICOM are written unless you choose another folder.</source>
        <translation>Wohin Berichte und abgeleitetes DICOM geschrieben werden, wenn Sie keinen anderen Ordner wählen.</translation>
    </message>
    <message>
        <source>Folder for exports:</source>
        <translation>Ordner für Exporte:</translation>
    </message>
    <message>
        <source>A folder that your site shares; empty for presets of your own.</source>
        <translation>Ein gemeinsamer Ordner Ihres Hauses; leer für eigene Vorlagen.</translation>
    </message>
    <message>
        <source>Folder of presets:</source>
        <translation>Ordner der Vorlagen:</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.setup</name>
    <message>
        <source>PyTorch cannot be used here: the last one for Macs with an Intel processor, 2.2, does not work with NumPy 2, which this Slicer has. Use an earlier Slicer, or another computer. Nothing was installed.</source>
        <translation>PyTorch ist hier nicht verwendbar: Die letzte Version für Macs mit Intel-Prozessor, 2.2, arbeitet nicht mit NumPy 2, das dieser Slicer hat. Bitte einen früheren Slicer oder einen anderen Computer verwenden. Nichts wurde installiert.</translation>
    </message>
    <message>
        <source>PyTorch is not installed.</source>
        <translation>PyTorch ist nicht installiert.</translation>
    </message>
    <message>
        <source>PyTorch is not installed, and neither is the extension PyTorch that installs it: choose it in the Extensions Manager and restart Slicer.</source>
        <translation>PyTorch ist nicht installiert, und auch nicht die Erweiterung PyTorch, die es installiert: bitte im Extensions Manager wählen und Slicer neu starten.</translation>
    </message>
    <message>
        <source>PyTorch could not be installed ({reason}).</source>
        <translation>PyTorch konnte nicht installiert werden ({reason}).</translation>
    </message>
    <message>
        <source>PyTorch was not installed, and nothing can be restored without it. Try again at any time.</source>
        <translation>PyTorch wurde nicht installiert, und ohne es kann nichts restauriert werden. Ein neuer Versuch ist jederzeit möglich.</translation>
    </message>
    <message>
        <source>{packages} could not be installed ({reason}).</source>
        <translation>{packages} konnte nicht installiert werden ({reason}).</translation>
    </message>
    <message>
        <source>Not installed: {packages}.</source>
        <translation>Nicht installiert: {packages}.</translation>
    </message>
    <message>
        <source>If a GPU is there but not found: update its driver, then uninstall and install PyTorch again in the module PyTorch Utils. MedRestore also works without a GPU.</source>
        <translation>Wird eine vorhandene GPU nicht gefunden: ihren Treiber aktualisieren, dann PyTorch im Modul PyTorch Utils deinstallieren und neu installieren. MedRestore arbeitet auch ohne GPU.</translation>
    </message>
    <message>
        <source>Without internet: on a computer of the same kind that has it, with Python {version}, run
    python -m pip download --only-binary :all: -d wheels {packages}
copy the folder wheels, and enter in Slicer's Python console
    slicer.util.pip_install('--no-index --find-links /path/to/wheels {packages}')</source>
        <translation>Ohne Internet: auf einem Computer gleicher Art mit Internet und Python {version} ausführen
    python -m pip download --only-binary :all: -d wheels {packages}
den Ordner wheels kopieren und in Slicers Python-Konsole eingeben
    slicer.util.pip_install('--no-index --find-links /path/to/wheels {packages}')</translation>
    </message>
    <message>
        <source>The path is too long for Windows: turn on long paths (Settings, System, For developers), or install Slicer in a short folder such as C:\Slicer, and try again.</source>
        <translation>Der Pfad ist zu lang für Windows: lange Pfade einschalten (Einstellungen, System, Für Entwickler) oder Slicer in einem kurzen Ordner wie C:\Slicer installieren und es noch einmal versuchen.</translation>
    </message>
    <message>
        <source>The disk is full: PyTorch needs up to 6 GB.</source>
        <translation>Die Festplatte ist voll: PyTorch braucht bis zu 6 GB.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.several</name>
    <message>
        <source>As recommended for each</source>
        <translation>Wie für jedes empfohlen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Restore the ti&amp;cked volumes</source>
        <translation>Ange&amp;kreuzte Volumen restaurieren</translation>
    </message>
    <message>
        <source>Stop. What is restored already stays.</source>
        <translation>Anhalten. Was schon restauriert ist, bleibt.</translation>
    </message>
    <message>
        <source>Cancelled. What was restored before stays.</source>
        <translation>Abgebrochen. Was vorher restauriert wurde, bleibt.</translation>
    </message>
    <message>
        <source>Another volume is being restored.</source>
        <translation>Ein anderes Volumen wird gerade restauriert.</translation>
    </message>
    <message>
        <source>Tick the volumes to restore.</source>
        <translation>Die zu restaurierenden Volumen ankreuzen.</translation>
    </message>
    <message>
        <source>{number} of {count}, '{name}': {doing}. {left}</source>
        <translation>{number} von {count}, '{name}': {doing}. {left}</translation>
    </message>
    <message>
        <source>Sending the study</source>
        <translation>Die Studie wird übergeben</translation>
    </message>
    <message>
        <source>{restored} of {count} volumes are restored. A double click on a line shows the result.</source>
        <translation>{restored} von {count} Volumen sind restauriert. Ein Doppelklick auf eine Zeile zeigt das Ergebnis.</translation>
    </message>
    <message>
        <source>Not restored. {reason}</source>
        <translation>Nicht restauriert. {reason}</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.study</name>
    <message>
        <source>Select a volume.</source>
        <translation>Bitte ein Volumen wählen.</translation>
    </message>
    <message>
        <source>Reading the study...</source>
        <translation>Die Studie wird gelesen...</translation>
    </message>
    <message>
        <source>Set the noise level: none could be read off this study.</source>
        <translation>Bitte den Rauschpegel einstellen: Aus dieser Studie war keiner zu lesen.</translation>
    </message>
    <message>
        <source>Choose the segment to restore inside, or the whole study.</source>
        <translation>Bitte das Segment wählen, in dem restauriert wird, oder die ganze Studie.</translation>
    </message>
    <message>
        <source>Enlarged is not measured: what is finer than the study's pixels was not seen.</source>
        <translation>Vergrößert ist nicht gemessen: Was feiner ist als die Pixel der Studie, wurde nicht gesehen.</translation>
    </message>
    <message>
        <source>Modality is not known: choose it to get the method and the noise made for it.</source>
        <translation>Die Modalität ist unbekannt: Bitte wählen, um passende Methode und passendes Rauschen zu erhalten.</translation>
    </message>
    <message>
        <source>No noise level could be read off this study. {level} is a usual one to start from: judge it with the preview.</source>
        <translation>Aus dieser Studie war kein Rauschpegel zu lesen. {level} ist ein üblicher Anfangswert: Bitte mit der Vorschau beurteilen.</translation>
    </message>
    <message>
        <source>Restore all {frames} frames of the sequence</source>
        <translation>Alle {frames} Bilder der Sequenz restaurieren</translation>
    </message>
    <message>
        <source>The volume holds no voxels.</source>
        <translation>Das Volumen hat keine Voxel.</translation>
    </message>
    <message>
        <source>{size} voxels of {spacing} mm</source>
        <translation>{size} Voxel zu {spacing} mm</translation>
    </message>
    <message>
        <source>Enlarging looks at no noise.</source>
        <translation>Beim Vergrößern wird kein Rauschen betrachtet.</translation>
    </message>
    <message>
        <source>{method} finds the noise by itself.</source>
        <translation>{method} findet das Rauschen selbst.</translation>
    </message>
    <message>
        <source>In {unit}.</source>
        <translation>In {unit}.</translation>
    </message>
    <message>
        <source>sure</source>
        <translation>sicher</translation>
    </message>
    <message>
        <source>unsure, look closely</source>
        <translation>unsicher, bitte genau hinsehen</translation>
    </message>
    <message>
        <source>In {unit}. Found: {level}, {sure}.</source>
        <translation>In {unit}. Gefunden: {level}, {sure}.</translation>
    </message>
    <message>
        <source>Level: {reason} Confidence {percent} %.</source>
        <translation>Pegel: {reason} Sicherheit {percent} %.</translation>
    </message>
    <message>
        <source>The level serves the evidence alone.</source>
        <translation>Der Pegel dient nur den Belegen.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.views</name>
    <message>
        <source>Slicer runs without a main window: there are no views to compare in.</source>
        <translation>Slicer läuft ohne Hauptfenster: Es gibt keine Ansichten zum Vergleichen.</translation>
    </message>
    <message>
        <source>Restore a volume first, or choose a restored volume.</source>
        <translation>Zuerst ein Volumen restaurieren oder ein restauriertes wählen.</translation>
    </message>
    <message>
        <source>The original of this volume is not in the scene: choose it as the input.</source>
        <translation>Das Original dieses Volumens ist nicht in der Szene: bitte als Eingabe wählen.</translation>
    </message>
    <message>
        <source>The removed part was not kept: tick 'Keep the removed part' and restore again.</source>
        <translation>Das Entfernte wurde nicht behalten: 'Entferntes als Volumen behalten' ankreuzen und noch einmal restaurieren.</translation>
    </message>
</context>
<context>
    <name>MedRestorePanel.words</name>
    <message>
        <source>Noise level</source>
        <translation>Rauschpegel</translation>
    </message>
    <message>
        <source>Noise</source>
        <translation>Rauschen</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Methode</translation>
    </message>
    <message>
        <source>Modality</source>
        <translation>Modalität</translation>
    </message>
    <message>
        <source>Only inside</source>
        <translation>Nur innerhalb</translation>
    </message>
    <message>
        <source>Strength</source>
        <translation>Stärke</translation>
    </message>
    <message>
        <source>Dimensions</source>
        <translation>Dimensionen</translation>
    </message>
    <message>
        <source>Frames</source>
        <translation>Bilder</translation>
    </message>
    <message>
        <source>Adapt the network to this study</source>
        <translation>Netz an diese Studie anpassen</translation>
    </message>
    <message>
        <source>Enlarge</source>
        <translation>Vergrößern auf</translation>
    </message>
    <message>
        <source>Options</source>
        <translation>Optionen</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Memory of a tile (GB)</source>
        <translation>Speicher je Kachel (GB)</translation>
    </message>
    <message>
        <source>See '{field}'.</source>
        <translation>Siehe '{field}'.</translation>
    </message>
</context>
<context>
    <name>MedRestoreSubjectHierarchyPlugin</name>
    <message>
        <source>Restore...</source>
        <translation>Restaurieren...</translation>
    </message>
    <message>
        <source>Remove noise from this volume with MedRestore</source>
        <translation>Rauschen aus diesem Volumen mit MedRestore entfernen</translation>
    </message>
</context>
</TS>
