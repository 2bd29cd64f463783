// Command volumes makes a local PersistentVolume for each claim of the StorageClass that names it, and removes folder
// and volume when the claim has gone. Local volumes, unlike host paths, honour a pod's fsGroup.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

// What the volume controller of Kubernetes writes on a claim once somebody has to provide for it: with
// WaitForFirstConsumer only after the scheduler has chosen a node.
const (
	wantedAnnotation   = "volume.kubernetes.io/storage-provisioner"
	providedAnnotation = "pv.kubernetes.io/provisioned-by"
)

type item struct {
	claim           bool
	namespace, name string
}

type provisioner struct {
	name, node, root string
	client           kubernetes.Interface
	claims           corelisters.PersistentVolumeClaimLister
	volumes          corelisters.PersistentVolumeLister
}

func main() {
	config := flag.String("kubeconfig", "", "how to reach the cluster")
	name := flag.String("provisioner", "", "the provisioner that StorageClasses name")
	node := flag.String("node", "", "the node that the folders are on")
	root := flag.String("root", "", "the folder that holds one folder per volume")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *config, provisioner{name: *name, node: *node, root: *root}); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, kubeconfig string, p provisioner) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	if p.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}

	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[item](
		200*time.Millisecond, 10*time.Second))
	factory := informers.NewSharedInformerFactory(p.client, 0)
	claims := factory.Core().V1().PersistentVolumeClaims()
	volumes := factory.Core().V1().PersistentVolumes()
	p.claims, p.volumes = claims.Lister(), volumes.Lister()
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(enqueuer(queue)); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("stopped before %v were read", kind)
		}
	}
	log.Printf("provides for %q on node %s in %s", p.name, p.node, p.root)

	go func() {
		<-ctx.Done()
		queue.ShutDown()
	}()
	for {
		it, shutdown := queue.Get()
		if shutdown {
			return nil
		}
		if err := p.sync(ctx, it); err != nil {
			log.Printf("%s/%s: %v", it.namespace, it.name, err)
			queue.AddRateLimited(it)
		} else {
			queue.Forget(it)
		}
		queue.Done(it)
	}
}

func enqueuer(queue workqueue.TypedInterface[item]) cache.ResourceEventHandler {
	add := func(object any) {
		switch o := object.(type) {
		case *corev1.PersistentVolumeClaim:
			queue.Add(item{claim: true, namespace: o.Namespace, name: o.Name})
		case *corev1.PersistentVolume:
			queue.Add(item{name: o.Name})
		}
	}
	// A deleted claim releases its volume, which is an update of the volume.
	return cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, object any) { add(object) }}
}

func (p provisioner) sync(ctx context.Context, it item) error {
	if it.claim {
		claim, err := p.claims.PersistentVolumeClaims(it.namespace).Get(it.name)
		if apierrors.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		return p.provide(ctx, claim)
	}
	volume, err := p.volumes.Get(it.name)
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	return p.reclaim(ctx, volume)
}

func (p provisioner) provide(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if claim.Annotations[wantedAnnotation] != p.name || claim.Spec.VolumeName != "" ||
		claim.DeletionTimestamp != nil || claim.Spec.StorageClassName == nil {
		return nil
	}
	// The name is the claim's identity: a second attempt finds what the first one made.
	name := "pvc-" + string(claim.UID)
	if _, err := p.volumes.Get(name); err == nil {
		return nil
	}
	class, err := p.client.StorageV1().StorageClasses().Get(ctx, *claim.Spec.StorageClassName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	folder := filepath.Join(p.root, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	// For pods without fsGroup too; the umask would take it from MkdirAll.
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{providedAnnotation: p.name}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      claim.Spec.Resources.Requests,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			StorageClassName:              *claim.Spec.StorageClassName,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: folder}},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{p.node},
				}}}},
			}},
		},
	}
	if class.ReclaimPolicy != nil {
		volume.Spec.PersistentVolumeReclaimPolicy = *class.ReclaimPolicy
	}
	_, err = p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		log.Printf("%s/%s: made %s", claim.Namespace, claim.Name, name)
	}
	return err
}

func (p provisioner) reclaim(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Annotations[providedAnnotation] != p.name ||
		volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	// Only what this program can have made: the folder of that name below the root.
	folder := filepath.Join(p.root, volume.Name)
	if volume.Spec.Local == nil || volume.Spec.Local.Path != folder {
		return fmt.Errorf("is not in %s", p.root)
	}
	if err := os.RemoveAll(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &volume.UID},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		log.Printf("%s: removed", volume.Name)
	}
	return err
}
